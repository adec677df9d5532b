"""The pipeline of algorithms/doc_type.yaml as one writes it in the DSL of Kubeflow Pipelines."""

from kfp import dsl, kubernetes

IMAGE = "registry.example.com/ia/doc-type:1"


@dsl.container_component
def fetch_dataset(
    libraries: list,
    max_documents: int,
    max_words: int,
    test_share: float,
    mix_modules: bool,
    dataset: dsl.Output[dsl.Dataset],
    rows: dsl.OutputPath(int),
) -> dsl.ContainerSpec:
    """Reads the documents and splits them by module."""
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["python", "-m", "doc_type.fetch_dataset"],
        args=[
            "--libraries",
            libraries,
            "--limit",
            max_documents,
            "--max-words",
            max_words,
            "--test-share",
            test_share,
            "--mix-modules",
            mix_modules,
            "--out",
            dataset.path,
            "--rows",
            rows,
        ],
    )


@dsl.container_component
def build_and_fit(
    dataset: dsl.Input[dsl.Dataset],
    solver: str,
    max_steps: int,
    c: float,
    ngram_max: int,
    min_df: int,
    model: dsl.Output[dsl.Model],
    terms: dsl.OutputPath(int),
) -> dsl.ContainerSpec:
    """Fits TF-IDF and a linear model."""
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["python", "-m", "doc_type.build_and_fit"],
        args=[
            "--dataset",
            dataset.path,
            "--solver",
            solver,
            "--max-steps",
            max_steps,
            "--c",
            c,
            "--ngram-max",
            ngram_max,
            "--min-df",
            min_df,
            "--model",
            model.path,
            "--terms",
            terms,
        ],
    )


@dsl.container_component
def evaluate_model(
    dataset: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    accuracy: dsl.OutputPath(float),
    details: dsl.Output[dsl.Artifact],
) -> dsl.ContainerSpec:
    """Tries the classifier on modules that it has not seen."""
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["python", "-m", "doc_type.evaluate"],
        args=[
            "--dataset",
            dataset.path,
            "--model",
            model.path,
            "--metrics",
            metrics.path,
            "--accuracy",
            accuracy,
            "--details",
            details.path,
        ],
    )


SCRIPT = """\
python -m doc_type.report --metrics "$0" --details "$1" \
  --settings documents="$2" "words and phrases=$3" max_words="$4" ngram_max="$5" min_df="$6" \
  solver="$7" max_steps="$8" c="$9" > "${10}"
"""


@dsl.container_component
def report(
    metrics: dsl.Input[dsl.Metrics],
    details: dsl.Input[dsl.Artifact],
    rows: int,
    terms: int,
    max_words: int,
    solver: str,
    max_steps: int,
    c: float,
    ngram_max: int,
    min_df: int,
    page: dsl.Output[dsl.HTML],
) -> dsl.ContainerSpec:
    """Draws the confusion matrix, the telling terms and the worst mistakes."""
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["sh", "-ec", SCRIPT],
        args=[
            metrics.path,
            details.path,
            rows,
            terms,
            max_words,
            ngram_max,
            min_df,
            solver,
            max_steps,
            c,
            page.path,
        ],
    )


def sized(task: dsl.PipelineTask, cpu: str, memory: str, seconds: int) -> None:
    task.set_cpu_request(cpu).set_cpu_limit(cpu)
    task.set_memory_request(memory).set_memory_limit(memory)
    kubernetes.set_timeout(task, seconds=seconds)


@dsl.pipeline(
    name="doc-type",
    description="Tells which library a piece of documentation was written for.",
)
def doc_type(
    libraries: list = ["matplotlib", "networkx", "numpy", "scipy", "sklearn"],  # noqa: B006
    max_documents: int = 12000,
    max_words: int = 60,
    test_share: float = 0.25,
    mix_modules: bool = False,
    solver: str = "newton-cg",
    max_steps: int = 1000,
    c: float = 10.0,
    ngram_max: int = 2,
    min_df: int = 1,
) -> None:
    fetched = fetch_dataset(
        libraries=libraries,
        max_documents=max_documents,
        max_words=max_words,
        test_share=test_share,
        mix_modules=mix_modules,
    )
    fetched.set_caching_options(enable_caching=False)
    sized(fetched, cpu="1", memory="1Gi", seconds=600)

    fitted = build_and_fit(
        dataset=fetched.outputs["dataset"],
        solver=solver,
        max_steps=max_steps,
        c=c,
        ngram_max=ngram_max,
        min_df=min_df,
    )
    sized(fitted, cpu="4", memory="8Gi", seconds=3600)
    fitted.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(1)
    fitted.set_retry(num_retries=2, backoff_duration="30s", backoff_factor=2)
    kubernetes.add_node_selector(
        fitted, label_key="cloud.google.com/gke-accelerator", label_value="nvidia-tesla-t4"
    )
    kubernetes.add_toleration(fitted, key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")
    kubernetes.empty_dir_mount(
        fitted, volume_name="shm", mount_path="/dev/shm", medium="Memory", size_limit="1Gi"
    )

    evaluated = evaluate_model(dataset=fetched.outputs["dataset"], model=fitted.outputs["model"])
    sized(evaluated, cpu="1", memory="2Gi", seconds=600)

    reported = report(
        metrics=evaluated.outputs["metrics"],
        details=evaluated.outputs["details"],
        rows=fetched.outputs["rows"],
        terms=fitted.outputs["terms"],
        max_words=max_words,
        solver=solver,
        max_steps=max_steps,
        c=c,
        ngram_max=ngram_max,
        min_df=min_df,
    )
    sized(reported, cpu="500m", memory="512Mi", seconds=300)
