"""Pipelines for the tests of the KFP targets: one with everything, and strategies for many."""

from __future__ import annotations

import keyword
import re

from builders import (
    SPAN,
    command,
    concat,
    flag,
    gpu,
    output_of,
    output_path,
    param,
    param_ref,
    pipeline,
    pipeline_input,
    pipeline_input_ref,
    python,
    retry,
    script,
    secret,
    step,
    timeout,
    volume,
    volume_path,
)
from hypothesis import strategies as st
from msgspec.structs import replace

from compiler.expr import ArtifactList, ArtifactType, RunRef
from compiler.ir import (
    REQUIRED,
    Amount,
    Cache,
    Limits,
    Pipeline,
    Pod,
    Resources,
    Security,
    Step,
    Toleration,
)
from compiler.targets.kfp.carrying import altered


def everything() -> Pipeline:
    """Each field of the language that KFP has a way for."""
    fetch = step(
        "fetch_dataset",
        command(
            "python",
            "-m",
            "doc_type.fetch",
            flag("--limit", param_ref("max_documents", "integer")),
            flag("--warm", param_ref("warm", "boolean")),
            flag("--steps", param_ref("max_steps", "integer", nullable=True)),
            flag("--rate", param_ref("rate", "number"), joined=True),
            "--cost=$5 {{ not a template }}",
            concat("--reports=", pipeline_input_ref("reports")),
            output_path("dataset"),
            output_path("rows"),
            volume_path("models"),
        ),
        outputs={"dataset": "Dataset", "rows": "integer", "note": "string"},
        env={"PLAIN": "a $HOME b", "TOKEN": secret("chat", "token"), "RUN": RunRef("id", SPAN)},
        volumes=(
            volume("models", "/models", sub_path="v1"),
            volume("settings", "/settings", "config_map"),
            volume("certs", "/certs", "secret", read_only=True),
            replace(volume("scratch", "/scratch", "empty"), source="5Gi"),
        ),
        timeout=timeout(7200),
        cache=Cache(True, key=concat("v", param_ref("solver"))),
    )
    fit = step(
        "build_and_fit",
        python("doc_type.pipeline:build_and_fit"),
        inputs={
            "dataset": output_of("fetch_dataset", "dataset"),
            "both": ArtifactList(
                (pipeline_input_ref("reports"), pipeline_input_ref("older")),
                ArtifactType("Dataset", is_list=True),
                SPAN,
            ),
            "solver": param_ref("solver"),
            "depths": param_ref("depths", "array"),
            "extra": param_ref("extra", "object"),
            "constant": "it's \"quoted\"\n{{x}} $(HOME) 'done'",
        },
        outputs={"model": "Model", "score": "number", "notes": "array"},
        resources=Resources(
            cpu=Amount("500m", "4", SPAN),
            memory=Amount(None, "1.5Gi", SPAN),
            shm=Amount("2Gi", "2Gi", SPAN),
            gpu=replace(
                gpu(2, "t4"),
                node_selector=(("gpu", "t4"),),
                tolerations=(Toleration("nvidia.com/gpu", "Exists", None, "NoSchedule"),),
            ),
        ),
        pod=Pod(
            node_selector=(("pool", "ml"),),
            tolerations=(Toleration("spot", "Equal", "true", "NoExecute", 60),),
            labels=(("team", "ia"),),
            annotations=(("why", 'because: "it\'s" #1'),),
            pull_policy="Always",
            pull_secrets=("registry", "mirror"),
            security=Security(run_as_user=1000, run_as_group=0, run_as_non_root=True),
            spans=(("security", SPAN),),
        ),
        retry=retry(2, 30, 2),
    )
    evaluate = step(
        "evaluate",
        script('set -u\necho "{\\"accuracy\\": 1}" > "$OUTPUT_METRICS"\necho $(date) $$ > x\n'),
        inputs={"model": output_of("build_and_fit", "model", "Model"), "title": param_ref("title")},
        outputs={"metrics": "Metrics", "ok": "boolean", "page": "HTML"},
        env={"GREETING": "$$ costs $(MONEY)"},
        needs=("prepare",),
        workdir="/srv/app folder",
        cache=Cache(False, span=SPAN),
    )
    prepare = step("prepare", command("true", has_shell=False))
    return replace(
        pipeline(
            evaluate,
            fit,
            fetch,
            prepare,
            name="doc_type",
            params=(
                param("max_documents", 5000, description="How many: at most.\n  Two lines."),
                param("solver", "lbfgs", enum=("lbfgs", "saga"), description="Optimiser."),
                param("rate", 1e-5, "number"),
                param("warm", False),
                param("max_steps", None, "integer", enum=(None, 1, 2)),
                param("depths", [1, 2.5, {"a": [True]}]),
                param("extra", {"b": 1, "a": "x"}),
                param("title", REQUIRED, "string"),
            ),
            inputs=(
                pipeline_input("reports", "s3://ia-data/reports"),
                pipeline_input("older"),
                pipeline_input("unused", "gs://ia-data/x", "Model"),
            ),
            limits=Limits(None, 86400, 3600, (("timeout", SPAN), ("ttl", SPAN))),
        ),
        description='Predicts "things".\nIt\'s {{good}}.',
        owner="team-ia",
        tags=("nlp", "text"),
        labels=(("tier", "gold"),),
    )


def twins() -> Pipeline:
    """Two steps whose containers are the same, and whose outputs are not."""
    call = command("make", "it")
    return pipeline(
        step("one", call, outputs={"out": "integer"}), step("two", call, outputs={"out": "Model"})
    )


def awkward_names() -> Pipeline:
    """Names that mean something to Python, to the SDK or to the backend."""
    names = ["import", "importer", "dsl", "list", "t", "t_driver", "not", "a__b", "a_b", "wrapper"]
    steps = [
        step(
            name,
            command("run", param_ref("evaluate"), param_ref("t_task"), pipeline_input_ref("a_b")),
            outputs={"evaluate": "string"},
        )
        for name in names
    ]
    last = step(
        "evaluate",
        command("run", output_of("t", "evaluate", "string"), pipeline_input_ref("t"), "x\ny"),
        inputs={"dsl": param_ref("WRAPPER"), "mlc_key": param_ref("EVALUATE_TEXT")},
        outputs={"waiting": "Dataset"},
        env={"A": "b"},
    )
    return pipeline(
        *steps,
        last,
        name="evaluate",
        params=(
            param("evaluate", "x"),
            param("t_task", "y"),
            param("WRAPPER", "z"),
            param("EVALUATE_TEXT", "w"),
            param("int", 1),
        ),
        inputs=(pipeline_input("a_b", "s3://b/k"), pipeline_input("t", "s3://b/l")),
    )


_PIECES = [
    '"', "'", '"""', "'''", "\\", "\n", "\r", "\t", "$", "$$", "$(HOME)", "$(MLC_D)", "${x}",
    "{", "}", "{{", "}}", "{{x}}", "{$}", "{$.inputs.parameters['x']}}", "{%", "{#", "%s",
    "é", "😀", "\u200b", "\u2028", "\x85", "\x01", "\x1b", " ", "a", "Z9", ": ", " #", "- ", "--",
    '{"IfPresent": 1}', '{"Concat": []}', "Args:", "Returns:", "no", "1e-4", "x" * 200,
]  # fmt: skip
# Without what no container gets through KFP, and explain refuses: `{{$`, U+007F, new emoji.
texts = (
    st.lists(st.sampled_from(_PIECES), max_size=12).map("".join).filter(lambda t: "{{$" not in t)
)
any_texts = st.one_of(texts, st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
# What may be a default: `compiler.targets.kfp.support` refuses the rest.
plain_texts = texts.map(lambda t: re.sub(r"[^ -~é😀]", "", t)).filter(lambda t: not altered(t))
words = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)
identifiers = words.filter(lambda name: not keyword.iskeyword(name) and name != "dsl")


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    """Pipelines with nasty texts wherever a text may stand, and nothing that is refused."""
    names = draw(st.lists(words, min_size=1, max_size=4, unique=True))
    steps: list[Step] = []
    for name in names:
        earlier = [s.name for s in steps]
        word = st.one_of(
            texts, st.builds(concat, texts, st.just(param_ref("text")), texts), st.just(RUN_NAME)
        )
        arguments = draw(st.lists(word, max_size=4))
        program = draw(
            st.one_of(
                st.just(command("run", *arguments, output_path("out"))),
                st.builds(script, texts.filter(bool), st.sampled_from(["sh", "bash", "python"])),
                st.just(python("pkg.mod:fn")),
            )
        )
        made = step(
            name,
            program,
            inputs={
                "data": output_of(draw(st.sampled_from(earlier)), "out") if earlier else "none",
                "literal": draw(texts),
            },
            outputs={"out": "Dataset", "value": draw(st.sampled_from(["string", "array"]))},
            env=dict(zip(["A", "B"], draw(st.lists(texts, max_size=2)), strict=False)),
            needs=draw(st.lists(st.sampled_from(earlier), max_size=2)) if earlier else (),
            pod=Pod(annotations=(("note", draw(plain_texts)),)),
            cache=Cache(draw(st.booleans()), key=draw(st.none() | word.map(_expression))),
            workdir=draw(st.none() | st.just("/srv")),
        )
        # A loss that kfp-dsl explains: the SDK's reader breaks such a description.
        described = tuple(
            replace(o, description=draw(any_texts.filter(lambda t: "Returns:" not in t)))
            for o in made.outputs
        )
        steps.append(replace(made, description=draw(any_texts), outputs=described))
    return replace(
        pipeline(
            *draw(st.permutations(steps)),
            name=draw(st.from_regex(r"[a-z]([a-z0-9_]?[a-z0-9]){0,6}", fullmatch=True)),
            params=(
                param("text", draw(plain_texts), description=draw(any_texts)),
                param("number", draw(st.floats(allow_nan=False, allow_infinity=False))),
            ),
        ),
        description=draw(any_texts),
        owner=draw(any_texts),
    )


RUN_NAME = RunRef("name", SPAN)


def _expression(given: object) -> object:
    return concat(given) if isinstance(given, str) else given
