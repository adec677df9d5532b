"""The pipelines of shapes.py as one writes them in the languages of the peers.

For the KFP SDK in two ways: a component that is used again for each step, and one for each step.
The image, the command and its words are those of the spec; the path of the output is a word more,
since the peers have no variable for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent

from shapes import PLACE, TAKES

REUSED, ONE_EACH = "with one component", "with one a step"
# Of a step that is skipped Argo takes the next ones to be ready, so a condition over a chain is
# another program there.
HERA_SAYS = ("chain", "fan-out", "diamonds")


def kfp(shape: str, count: int, way: str) -> str:
    return "\n".join(_kfp(shape, count, way)) + "\n"


def _kfp(shape: str, count: int, way: str) -> Iterator[str]:
    takes = [len(TAKES[shape](number)) for number in range(count)]
    names = [f"takes_{n}" if way == REUSED else f"step_{i}" for i, n in enumerate(takes)]
    yield "from kfp import dsl\n\n"
    for name, inputs in dict(zip(names, takes, strict=True)).items():
        given = [f"i{n}" for n in range(inputs)]
        params = ", ".join([*(f"{word}: str" for word in given), "o: dsl.OutputPath(str)"])
        words = ", ".join([*given, "o"])
        yield f"@dsl.container_component\ndef {name}({params}):"
        yield '    return dsl.ContainerSpec(image="python:3.12", command=["a"], '
        yield f"        args=[{words}])\n\n"
    param, indent = ("go: bool = True", "        ") if shape == "one condition" else ("", "    ")
    yield f'@dsl.pipeline(name="big")\ndef big({param}):'
    if shape == "one condition":
        yield "    with dsl.If(go == True):"
    if shape == "nested loops":
        indent = "            "
    for number, name in enumerate(names):
        if shape == "nested loops" and number % PLACE == 0:
            yield "    with dsl.ParallelFor([1, 2]):"
            yield '        with dsl.ParallelFor(["x", "y"]):'
        passed = ", ".join(
            f'i{n}=s{other}.outputs["o"]' for n, other in enumerate(TAKES[shape](number))
        )
        yield f"{indent}s{number} = {name}({passed})"


def hera(shape: str, count: int) -> str:
    return dedent(
        f"""
        import sys
        from pathlib import Path

        from hera.workflows import DAG, Container, Parameter, Workflow
        from hera.workflows.models import ValueFrom

        TAKES = {[TAKES[shape](number) for number in range(count)]}

        with Workflow(generate_name="big-", entrypoint="main") as workflow:
            steps = [
                Container(
                    name=f"s{{number}}",
                    image="python:3.12",
                    command=["a"],
                    args=[f"{{{{{{{{inputs.parameters.i{{n}}}}}}}}}}" for n, _ in enumerate(takes)],
                    inputs=[Parameter(name=f"i{{n}}") for n, _ in enumerate(takes)],
                    outputs=[Parameter(name="o", value_from=ValueFrom(path="/tmp/o"))],
                )
                for number, takes in enumerate(TAKES)
            ]
            with DAG(name="main"):
                tasks = []
                for step, takes in zip(steps, TAKES):
                    given = [
                        tasks[other].get_parameter("o").with_name(f"i{{n}}")
                        for n, other in enumerate(takes)
                    ]
                    task = step(name=step.name, arguments=given)
                    for other in takes:
                        tasks[other] >> task
                    tasks.append(task)
        Path(sys.argv[1]).write_text(workflow.to_yaml())
        """
    ).lstrip()


def flow(count: int) -> str:
    """A chain for Metaflow, each step with what the one before it has stored."""
    names = ["start", *(f"s{number}" for number in range(count - 2)), "end"]
    program = ["from metaflow import FlowSpec, step\n\n\nclass Big(FlowSpec):"]
    for name, following in zip(names, [*names[1:], None], strict=True):
        body = f"self.next(self.{following})" if following else "pass"
        program.append(f"    @step\n    def {name}(self):\n        {body}\n")
    program.append('\nif __name__ == "__main__":\n    Big()\n')
    return "\n".join(program)


def nothing(count: int, is_chain: bool, root: str) -> str:
    """Functions that do nothing, one after the other or all at once, by the SDK's runner."""
    return dedent(
        f"""
        from kfp import dsl, local

        local.init(local.SubprocessRunner(use_venv=False), pipeline_root={root!r})

        # Without this the runner calls pip for each step.
        @dsl.component(install_kfp_package=False)
        def nothing(): pass

        @dsl.pipeline
        def big():
            last = None
            for _ in range({count}):
                task = nothing()
                if last and {is_chain}:
                    task.after(last)
                last = task

        big()
        """
    ).lstrip()
