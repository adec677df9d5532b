"""The pipeline of algorithms/doc_type.yaml as one writes it for hera; the YAML goes to argv[1]."""

import json
import sys
from pathlib import Path

from hera.workflows import (
    DAG,
    Artifact,
    Container,
    EmptyDirVolume,
    Parameter,
    Resources,
    RetryStrategy,
    Workflow,
    models,
)

IMAGE = "registry.example.com/ia/doc-type:1"
PARAMS = {
    "libraries": json.dumps(["matplotlib", "networkx", "numpy", "scipy", "sklearn"]),
    "max_documents": 12000,
    "max_words": 60,
    "test_share": 0.25,
    "mix_modules": "false",
    "solver": "newton-cg",
    "max_steps": 1000,
    "c": 10,
    "ngram_max": 2,
    "min_df": 1,
}
SCRIPT = """\
python -m doc_type.report --metrics /tmp/in/metrics --details /tmp/in/details \
  --settings documents="$0" "words and phrases=$1" max_words="$2" ngram_max="$3" min_df="$4" \
  solver="$5" max_steps="$6" c="$7" > /tmp/out/page
"""


def param(name: str) -> str:
    return f"{{{{workflow.parameters.{name}}}}}"


def taken(*names: str) -> list[Artifact]:
    return [Artifact(name=name, path=f"/tmp/in/{name}") for name in names]


def file(name: str) -> Artifact:
    return Artifact(name=name, path=f"/tmp/out/{name}")


def value(name: str) -> Parameter:
    return Parameter(name=name, value_from=models.ValueFrom(path=f"/tmp/out/{name}"))


def size(cpu: str, memory: str) -> Resources:
    return Resources(cpu_request=cpu, cpu_limit=cpu, memory_request=memory, memory_limit=memory)


with Workflow(
    generate_name="doc-type-",
    entrypoint="main",
    arguments=[Parameter(name=name, value=given) for name, given in PARAMS.items()],
) as workflow:
    fetch_dataset = Container(
        name="fetch-dataset",
        image=IMAGE,
        command=["python", "-m", "doc_type.fetch_dataset"],
        args=[
            *("--libraries", param("libraries"), "--limit", param("max_documents")),
            *("--max-words", param("max_words"), "--test-share", param("test_share")),
            *("--mix-modules", param("mix_modules")),
            *("--out", "/tmp/out/dataset", "--rows", "/tmp/out/rows"),
        ],
        outputs=[file("dataset"), value("rows")],
        resources=size("1", "1Gi"),
        active_deadline_seconds=600,
    )
    build_and_fit = Container(
        name="build-and-fit",
        image=IMAGE,
        command=["python", "-m", "doc_type.build_and_fit"],
        args=[
            *("--dataset", "/tmp/in/dataset", "--solver", param("solver")),
            *("--max-steps", param("max_steps"), "--c", param("c")),
            *("--ngram-max", param("ngram_max"), "--min-df", param("min_df")),
            *("--model", "/tmp/out/model", "--terms", "/tmp/out/terms"),
        ],
        inputs=taken("dataset"),
        outputs=[file("model"), value("terms")],
        resources=Resources(
            cpu_request=4, cpu_limit=4, memory_request="8Gi", memory_limit="8Gi", gpus=1
        ),
        node_selector={"cloud.google.com/gke-accelerator": "nvidia-tesla-t4"},
        tolerations=[
            models.Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")
        ],
        volumes=[
            EmptyDirVolume(name="shm", mount_path="/dev/shm", medium="Memory", size_limit="1Gi")
        ],
        retry_strategy=RetryStrategy(limit=2, backoff=models.Backoff(duration="30s", factor=2)),
        active_deadline_seconds=3600,
    )
    evaluate_model = Container(
        name="evaluate-model",
        image=IMAGE,
        command=["python", "-m", "doc_type.evaluate"],
        args=[
            *("--dataset", "/tmp/in/dataset", "--model", "/tmp/in/model"),
            *("--metrics", "/tmp/out/metrics", "--accuracy", "/tmp/out/accuracy"),
            *("--details", "/tmp/out/details"),
        ],
        inputs=taken("dataset", "model"),
        outputs=[file("metrics"), value("accuracy"), file("details")],
        resources=size("1", "2Gi"),
        active_deadline_seconds=600,
    )
    report = Container(
        name="report",
        image=IMAGE,
        command=["sh", "-ec", SCRIPT],
        args=[
            *("{{inputs.parameters.rows}}", "{{inputs.parameters.terms}}"),
            *(param("max_words"), param("ngram_max"), param("min_df")),
            *(param("solver"), param("max_steps"), param("c")),
        ],
        inputs=[*taken("metrics", "details"), Parameter(name="rows"), Parameter(name="terms")],
        outputs=[file("page")],
        resources=size("500m", "512Mi"),
        active_deadline_seconds=300,
    )
    with DAG(name="main"):
        fetched = fetch_dataset(name="fetch-dataset")
        dataset = fetched.get_artifact("dataset")
        fitted = build_and_fit(name="build-and-fit", arguments=[dataset])
        evaluated = evaluate_model(
            name="evaluate-model", arguments=[dataset, fitted.get_artifact("model")]
        )
        reported = report(
            name="report",
            arguments=[
                evaluated.get_artifact("metrics"),
                evaluated.get_artifact("details"),
                fetched.get_parameter("rows"),
                fitted.get_parameter("terms"),
            ],
        )
        fetched >> fitted >> evaluated >> reported

Path(sys.argv[1]).write_text(workflow.to_yaml())
