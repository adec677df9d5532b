"""Pipelines for the tests of the Argo target: one with everything, large graphs, strategies."""

from __future__ import annotations

import random
import re

import kfp_cases
from builders import (
    SPAN,
    Given,
    command,
    concat,
    output_of,
    output_path,
    param,
    param_ref,
    pipeline,
    pipeline_input,
    pipeline_input_ref,
    step,
)
from hypothesis import strategies as st
from msgspec.structs import replace

from compiler.expr import RunRef
from compiler.ir import Amount, Limits, Pipeline, Security, Step
from compiler.settings import ObjectStore, SecretKey, TargetSettings

SETTINGS = TargetSettings(
    s3=ObjectStore(
        endpoint="minio.storage:9000",
        region="eu-west-3",
        insecure=True,
        access_key=SecretKey("minio", "user"),
        secret_key=SecretKey("minio", "password"),
    ),
    gcs=ObjectStore(service_account_key=SecretKey("gcs", "key.json")),
    service_account="runner",
)


def everything() -> Pipeline:
    """Each field of the language, most of them from the case of the KFP targets."""
    base = kfp_cases.everything()
    by_name = {step.name: step for step in base.nodes}
    fit = by_name["build_and_fit"]
    fit = replace(
        fit,
        resources=replace(fit.resources, disk=Amount(None, "10Gi", SPAN)),
        pod=replace(
            fit.pod,
            service_account="trainer",
            priority_class="low",
            security=Security(
                run_as_user=1000,
                run_as_group=0,
                run_as_non_root=True,
                read_only_root=True,
                allow_escalation=False,
                add_capabilities=("SYS_NICE",),
                drop_capabilities=("ALL",),
            ),
            spans=tuple(
                (key, SPAN)
                for key in (
                    *("node_selector", "tolerations", "labels", "annotations", "service_account"),
                    *("priority_class", "pull_policy", "pull_secrets", "security"),
                )
            ),
        ),
        retry=replace(fit.retry, max_backoff=60) if fit.retry else None,
        timeout=by_name["fetch_dataset"].timeout,
    )
    compare = step(
        "compare",
        command(
            "compare",
            *(pipeline_input_ref(name) for name in ("page", "local", "bucket")),
            concat(param_ref("title"), param_ref("solver"), "{", param_ref("braces"), "{", "$"),
            concat("$", param_ref("title"), "(A)", RunRef("id", SPAN), RunRef("name", SPAN)),
            RunRef("scheduled_at", SPAN),
            output_of("evaluate", "ok", "boolean"),
        ),
        inputs={"model": output_of("build_and_fit", "model", "Model")},
        outputs={"report": "Markdown"},
    )
    steps = {**by_name, "build_and_fit": fit, "compare": compare}
    return replace(
        base,
        nodes=tuple(steps.values()),
        params=(*base.params, param("braces", "}}", description="Like {{{this}}.")),
        inputs=(
            pipeline_input("reports", "s3://ia-data/reports/2026-11"),
            pipeline_input("older"),
            pipeline_input("page", "https://example.com/index.html"),
            pipeline_input("local", "data/local.csv"),
            pipeline_input("bucket", "gs://ia-data/x/", "Model"),
        ),
        limits=Limits(3, 86400, 3600, tuple((k, SPAN) for k in ("parallel", "timeout", "ttl"))),
    )


def _worker(name: str, before: list[str], *, own: bool = False) -> Step:
    """A step that takes a value from some steps, an artifact from one, and waits for the rest."""
    values = [output_of(other, "value", "string") for other in before[:3]]
    artifacts = [output_of(other, "data") for other in before[:1]]
    words: list[Given] = ["work", *([name] if own else []), param_ref("seed", "integer")]
    return step(
        name,
        command(*words, *values, *artifacts, output_path("value"), output_path("data")),
        inputs={},
        outputs={"value": "string", "data": "Dataset"},
        needs=before[3:],
    )


def _of(edges: dict[str, list[str]], *, own: bool = False) -> Pipeline:
    steps = (_worker(name, before, own=own) for name, before in edges.items())
    return pipeline(*steps, name="large", params=[param("seed", 7)])


def chain(count: int) -> Pipeline:
    return _of({f"s{n}": [f"s{n - 1}"] if n else [] for n in range(count)})


def fan(count: int) -> Pipeline:
    """One step, then all but two beside each other, then one."""
    middle = [f"s{n}" for n in range(1, count - 1)]
    return _of({"s0": [], **{name: ["s0"] for name in middle}, f"s{count - 1}": middle})


def tangle(count: int, seed: int) -> Pipeline:
    """A random graph, its steps not in the order in which they run."""
    chance = random.Random(seed)
    names = [f"s{n}" for n in range(count)]
    edges = {
        name: chance.sample(names[max(0, n - 60) : n], min(n, chance.choice([0, 1, 1, 2, 5])))
        for n, name in enumerate(names)
    }
    chance.shuffle(names)
    return _of({name: edges[name] for name in names})


def many_templates(count: int) -> Pipeline:
    """A chain in which no two steps are the same."""
    return _of({f"s{n}": [f"s{n - 1}"] if n else [] for n in range(count)}, own=True)


_PIECES = [*kfp_cases._PIECES, "\x7f", "\x0b", "\U0001fae9", "{{=1}}", "$é", "{{workflow.name}}"]
texts = st.lists(st.sampled_from(_PIECES), max_size=10).map("".join)
# What a run may be given: Argo carries all but what looks like a tag.
values = texts.map(lambda text: re.sub(r"\{(?=\{)", "{ ", text))


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    """Pipelines with nasty texts in every place that takes any."""
    made = draw(kfp_cases.pipelines())
    steps = []
    for known in made.nodes:
        words = draw(st.lists(texts | st.just(param_ref("text")) | _joined, max_size=3))
        more = step(
            f"{known.name}_too",
            command("run", *words, output_path("out")),
            outputs={"out": "string"},
            env={"A": draw(texts), "B": concat(param_ref("text"), draw(texts))},
        )
        steps += [known, more]
    text, number = made.params
    return replace(made, nodes=tuple(steps), params=(replace(text, default=draw(values)), number))


_joined = st.builds(concat, texts, st.just(param_ref("text")), st.just(param_ref("text")), texts)
