"""How work grows with what is asked for, counted for each function, never in seconds.

Counted are the lines that run, each turn of a loop, comprehension or generator among them, and
where it is asked for the bytes by which memory rises from line to line, which shows what is copied
by one instruction (`{**d}`, `[*l, x]`, `d | e`, `text + x`). What one instruction goes through
without a copy (`x in l`, `l.index(x)`, `a == b` of long ones) no plain measure tells from a look
into a dict: the exponent that the benchmarks fit guards that.
"""

from __future__ import annotations

import gc
import re
import sys
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, MappingProxyType, ModuleType
from typing import Any, NamedTuple

import pytest

from compiler import TARGET_NAMES, cli, frontend, graph, schema, source, targets
from compiler.checks import unused
from compiler.commands import compile as compiling_specs
from compiler.commands import console
from compiler.commands import validate as validating
from compiler.commands.compile import Request, compile_specs
from compiler.commands.validate import validate
from compiler.engine.flow import Flow
from compiler.engine.journal import Journal
from compiler.engine.known import Known
from compiler.engine.outputs import Written
from compiler.engine.recorder import Recorder
from compiler.engine.schedule import Schedule
from compiler.engine.store import open_store
from compiler.lower import nodes
from compiler.targets import manifest
from compiler.targets.argo import dag
from compiler.targets.kfp import names, pipelinespec, planning
from compiler.targets.kfp_dsl import statements

Work = Callable[[], object]

# Of the standard library, what remembers paths and patterns runs now and then.
WATCHED_FILES = (str(Path(cli.__file__).parent.parent), __file__)

SIZES = (19, 38, 76)
# What the second doubling adds is held against what the first one adds: 2 where work grows with
# the size, 4 where it grows with its square. What is more than twice has to be more than a few
# lines or bytes for each step, too: dicts and sets grow by leaps, some forms only fit small specs.
MOST_LINES, LINES = 2.5, 4
MOST_BYTES, BYTES, LEAPS = 2.5, 80, 8
# A DAG of Argo has 200 tasks at most: these sizes are parted.
PARTED = (220, 440, 880)
HEAD = """\
apiVersion: mlc/v1
kind: Algorithm
name: {name}
image: registry.example.com/ia/algorithm:1.4.2
params: {{limit: 5, mode: fast}}
steps:
"""


def step(number: int, *takes: int, indent: str = "  ", when: str = "") -> Iterator[str]:
    yield f"{indent}step_{number}:"
    if when:
        yield f"{indent}  when: {when}"
    yield f"{indent}  command: [python, -m, algorithm.step]"
    yield f"{indent}  args:"
    yield f"{indent}    - --limit: ${{{{ params.limit }}}}"
    for other in takes:
        yield f"{indent}      --in-{other}: ${{{{ steps.step_{other}.outputs.rows }}}}"
    yield f"{indent}      --out: ${{{{ outputs.rows }}}}"
    yield f"{indent}  outputs: {{rows: Dataset}}"


def chain(size: int) -> Iterator[str]:
    for number in range(size):
        yield from step(number, *([number - 1] if number else []))


def fan_out(size: int) -> Iterator[str]:
    for number in range(size):
        yield from step(number, *([0] if number else []))


def diamonds(size: int) -> Iterator[str]:
    """Each fourth step takes from the two before it, which both take from the one before them."""
    takes: tuple[tuple[int, ...], ...] = ((1,), (1,), (2,), (1, 2))
    for number in range(size):
        yield from step(number, *(number - by for by in takes[number % 4] if by <= number))


def conditions(size: int) -> Iterator[str]:
    for number in range(size):
        takes = [number - 1] if number % 3 else []
        yield from step(number, *takes, when="${{ params.mode == 'fast' }}")


def one_condition(size: int) -> Iterator[str]:
    """A chain whose first step may be skipped, and all others with it."""
    for number in range(size):
        takes, when = ([number - 1], "") if number else ([], "${{ params.mode == 'fast' }}")
        yield from step(number, *takes, when=when)


def nested_loops(size: int) -> Iterator[str]:
    for number in range(size):
        if number % 4 == 0:
            yield f"  outer_{number}:"
            yield "    foreach: {a: [1, 2]}"
            yield "    steps:"
            yield f"      inner_{number}:"
            yield "        foreach: {b: [x, y]}"
            yield "        steps:"
        yield from step(number, *([number - 1] if number % 4 else []), indent=" " * 10)


SHAPES: dict[str, Callable[[int], Iterator[str]]] = {
    "chain": chain,
    "fan-out": fan_out,
    "diamonds": diamonds,
    "conditions": conditions,
    "one condition": one_condition,
    "nested loops": nested_loops,
}


class Count(NamedTuple):
    """Lines that ran by function, and by how many bytes memory rose before each line, but for the
    highest rises there: what is filled step by step grows by leaps."""

    lines: Counter[str]
    rises: Counter[str]


def count(work: Work, *, memory: bool = False) -> Count:
    lines = Counter[tuple[int, int]]()
    rises = defaultdict[tuple[int, int], list[int]](list)
    codes: dict[int, CodeType] = {}
    last = 0

    def sample(frame: FrameType) -> None:
        nonlocal last
        _, peak = tracemalloc.get_traced_memory()
        rises[id(frame.f_code), frame.f_lineno or 0].append(peak - last)
        tracemalloc.reset_peak()
        last, _ = tracemalloc.get_traced_memory()  # what is counted here takes memory as well

    def within(frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
        if event == "line":
            lines[id(frame.f_code), 0] += 1
        if memory:
            sample(frame)
        return within

    def called(frame: FrameType, _event: str, _argument: object) -> Callable[..., Any] | None:
        if not frame.f_code.co_filename.startswith(WATCHED_FILES):
            return None
        codes[id(frame.f_code)] = frame.f_code
        lines[id(frame.f_code), 0] += 1
        if memory and frame.f_back:
            sample(frame.f_back)
        return within

    before = sys.gettrace()
    gc.collect()
    gc.disable()
    if memory:
        tracemalloc.start()
    sys.settrace(called)
    try:
        work()
    finally:
        sys.settrace(before)
        tracemalloc.stop()
        gc.enable()
    risen = {place: sum(sorted(found)[:-LEAPS]) for place, found in rises.items()}
    return Count(_by_function(lines, codes), _by_function(risen, codes))


def _by_function(
    counts: Mapping[tuple[int, int], int], codes: Mapping[int, CodeType]
) -> Counter[str]:
    """Comprehensions and generators count for what they stand in: Python 3.12 has no frames for
    some."""
    found = Counter[str]()
    for (code, line), number in counts.items():
        if code in codes:  # what started the work is none of it
            function, _, _ = codes[code].co_qualname.partition(".<locals>.<")
            at = f":{line}" if line else ""
            found[f"{Path(codes[code].co_filename).name}{at}: {function}"] += number
    return found


def square(works: Mapping[int, Work], *, memory: bool = False) -> set[str]:
    """The functions whose work grows faster than with the size; three works by their sizes."""
    for work in works.values():
        work()  # what is kept for later is there from now on
    (least, *_, size) = works
    count(works[least], memory=memory)  # the first that is watched takes more
    counts = [count(work, memory=memory) for work in works.values()]
    lines, rises = [one.lines for one in counts], [one.rises for one in counts]
    found = _steep(lines, MOST_LINES, LINES * size)
    return found | _steep(rises, MOST_BYTES, BYTES * size)


def _steep(counts: list[Counter[str]], most: float, least: int) -> set[str]:
    small, middle, large = counts
    found = set()
    for name in large:
        first = max(middle[name] - small[name], 0)
        second = large[name] - middle[name]
        if second > most * first and second - 2 * first > least:
            found.add(name)
    return found


def spec(folder: Path, shape: str, size: int) -> Path:
    path = folder / f"{size}.yaml"
    text = HEAD.format(name=f"spec_{size}") + "\n".join(SHAPES[shape](size)) + "\n"
    path.write_text(text + "#" * 8192 + "\n")  # what is longer than a buffer is read by other ways
    return path


def checking(folder: Path, shape: str, sizes: tuple[int, ...] = SIZES) -> dict[int, Work]:
    return {size: partial(frontend.load, spec(folder, shape, size)) for size in sizes}


def compiling(
    folder: Path, shape: str, name: str, sizes: tuple[int, ...] = SIZES
) -> dict[int, Work]:
    target = targets.target(name)

    def work(size: int) -> Work:
        loaded = frontend.load(spec(folder, shape, size))
        assert loaded.pipeline is not None, loaded.diagnostics
        pipeline, settings = loaded.pipeline, loaded.project.target(name)
        return lambda: target.compiled(pipeline, settings).text()

    return {size: work(size) for size in sizes}


# Memory takes five times as long to watch.
WATCHED = ("chain",)


@pytest.mark.parametrize("shape", SHAPES)
def test_checking_grows_with_the_steps(shape: str, tmp_path: Path) -> None:
    assert square(checking(tmp_path, shape), memory=shape in WATCHED) == set()


@pytest.mark.parametrize("name", TARGET_NAMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_compiling_grows_with_the_steps(shape: str, name: str, tmp_path: Path) -> None:
    assert square(compiling(tmp_path, shape, name), memory=shape in WATCHED) == set()


def test_what_argo_parts_grows_with_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kept in ("_key", "_text", "_line"):  # not all that is kept of the last work
        monkeypatch.setattr(manifest, kept, getattr(manifest, kept).__wrapped__)
    assert square(compiling(tmp_path, "chain", "argo", PARTED)) == set()


def peak(work: Work) -> int:
    work()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", TARGET_NAMES)
def test_memory_grows_with_the_steps(name: str, tmp_path: Path) -> None:
    def whole(path: Path) -> None:
        loaded = frontend.load(path)
        assert loaded.pipeline is not None
        targets.target(name).compiled(loaded.pipeline, loaded.project.target(name)).text()

    paths = [spec(tmp_path, "chain", size) for size in (100, 200, 400)]
    small, middle, large = (peak(partial(whole, path)) for path in paths)
    assert large - middle < 2.5 * (middle - small)


def project(folder: Path, size: int) -> list[str]:
    """Makes a project of so many specs: their paths."""
    (folder / "algorithms").mkdir(parents=True)
    (folder / "mlc.toml").write_text('[policy]\nrequired = ["owner"]\n')
    paths = [f"algorithms/spec_{number}.yaml" for number in range(size)]
    for number, path in enumerate(paths):
        text = HEAD.format(name=f"spec_{number}") + "\n".join(chain(1)) + "\nowner: team\n"
        text += "profiles: {small: {params: {limit: 1}}}\n"
        (folder / path).write_text(text)
    return paths


Projects = Callable[[str, tuple[int, ...]], dict[int, Work]]


@pytest.fixture
def projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Projects:
    """Works of a command on projects of so many specs."""

    def validated(folder: Path, _paths: list[str]) -> None:
        monkeypatch.chdir(folder)
        assert validate((), quiet=True) == 0

    def compiled(folder: Path, paths: list[str]) -> None:
        monkeypatch.chdir(folder)
        request = Request(tuple(paths), ("argo",), str(folder / "build"), quiet=True)
        assert compile_specs(request) == 0

    commands = {"validate": validated, "compile": compiled}

    def works(command: str, sizes: tuple[int, ...]) -> dict[int, Work]:
        found: dict[int, Work] = {}
        for size in sizes:
            folder = tmp_path / str(size)
            found[size] = partial(commands[command], folder, project(folder, size))
        return found

    return works


COMMANDS = ("validate", "compile")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_grows_with_the_specs(command: str, projects: Projects) -> None:
    assert square(projects(command, (10, 20, 40))) == set()


@pytest.fixture
def known_specs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each spec is read, checked and compiled once: what remains is a command's own."""

    def once(owner: ModuleType, name: str, path: Callable[..., str]) -> None:
        known: dict[str, Any] = {}
        work = getattr(owner, name)

        def remembered(*arguments: Any) -> Any:
            key = str(Path.cwd() / path(*arguments))
            if key not in known:
                known[key] = work(*arguments)
            return known[key]

        monkeypatch.setattr(owner, name, remembered)

    once(console, "document", lambda path, *_: path)
    once(validating, "check", lambda document, *_: document.path)
    once(compiling_specs, "_build", lambda document, *_: document.path)
    once(compiling_specs, "_emit", lambda _loaded, pipeline, *_: pipeline.source)


@pytest.mark.usefixtures("known_specs")
@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_adds_grows_with_the_specs(command: str, projects: Projects) -> None:
    assert square(projects(command, SIZES), memory=True) == set()


def scheduling(folder: Path, shape: str) -> dict[int, Work]:
    """Runs of which each step ends as soon as it starts, with outputs and without a process."""
    nothing = MappingProxyType[str, Any]({})

    def work(size: int) -> Work:
        loaded = frontend.load(spec(folder, shape, size))
        assert loaded.pipeline is not None, loaded.diagnostics
        pipeline = loaded.pipeline
        params = {param.name: param.default for param in pipeline.params}

        def run() -> None:
            recorder = Recorder(connection, folder, "run")
            journal = Journal(recorder, lambda _event: None, folder)
            flow = Flow(pipeline.nodes, Known(params, {}, {}), journal)
            while (instance := flow.next()) is not None:
                flow.end(instance.key, Written(nothing, nothing, nothing))
            assert not flow.unfinished

        return run

    connection = open_store(folder)
    return {size: work(size) for size in SIZES}


@pytest.mark.parametrize("shape", SHAPES)
def test_scheduling_grows_with_the_steps(shape: str, tmp_path: Path) -> None:
    assert square(scheduling(tmp_path, shape), memory=shape in WATCHED) == set()


class Seen:
    """What careless code looks through, or copies, for each thing that it meets."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.listed: list[object] = []
        self.named: dict[object, object] = {}
        self.known: set[object] = set()
        self.text = ""
        self.number = 0

    def meet(self, form: Callable[[Seen], object]) -> None:
        self.number += 1
        form(self)
        self.listed.append(self.number)


def any_of(seen: Seen) -> None:
    assert not any(other == seen.number for other in seen.listed)


def next_of(seen: Seen) -> None:
    assert next((other for other in seen.listed if other == seen.number), None) is None


def comprehension(seen: Seen) -> None:
    assert not [other for other in seen.listed if other == seen.number]


def loop(seen: Seen) -> None:
    for other in seen.listed:
        if other == seen.number:
            raise AssertionError(other)


def copied_list(seen: Seen) -> None:
    seen.listed = [*seen.listed, seen.number]


def copied_dict(seen: Seen) -> None:
    seen.named = {**seen.named, seen.number: seen.number}


def copied_set(seen: Seen) -> None:
    seen.known = seen.known | {seen.number}


def copied_text(seen: Seen) -> None:
    seen.text = f"{seen.text}a line of a step\n"


def kept_copy(seen: Seen) -> None:
    seen.named[seen.number] = list(seen.listed)


# A function of each stage that is called for each step or spec, and what calls it.
STAGES: dict[str, tuple[object, str, str, Callable[[Seen], None]]] = {
    "reading": (source._Composer, "mapping", "check", any_of),
    "schema": (schema._Checker, "mapping", "check", comprehension),
    "lowering": (nodes._Lowering, "node", "check", copied_list),
    "graph": (graph.Graph, "_of", "check", loop),
    "unused outputs": (unused, "_used", "check", next_of),
    "kfp planning": (planning, "launched", "kfp", comprehension),
    "kfp names": (names.Names, "component", "kfp", any_of),
    "kfp spec": (pipelinespec, "_component", "kfp", next_of),
    "kfp-dsl text": (statements, "_task", "kfp-dsl", loop),
    "argo planning": (dag.Dags, "_member", "argo", copied_dict),
    "manifest text": (manifest, "_text", "argo", copied_text),
    "validating specs": (validating, "_kept", "validate", copied_dict),
    "comparing specs": (validating, "_kept", "validate", any_of),
    "compiling specs": (compiling_specs, "_emit", "compile", kept_copy),
    "scheduling": (Schedule, "end", "run", next_of),
    "ended steps": (Schedule, "end", "run", copied_set),
}
COPIES = (copied_list, copied_dict, copied_set, copied_text, kept_copy)


@pytest.mark.usefixtures("known_specs")
@pytest.mark.parametrize("stage", STAGES)
def test_a_square_is_found_out(
    stage: str, tmp_path: Path, projects: Projects, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, caller, form = STAGES[stage]
    if caller in COMMANDS:
        works = projects(caller, SIZES)
    elif caller in TARGET_NAMES:
        works = compiling(tmp_path, "chain", caller)
    else:
        works = {"check": checking, "run": scheduling}[caller](tmp_path, "chain")
    careful, seen = getattr(owner, name), Seen()

    def careless(*arguments: Any, **named: Any) -> object:
        seen.meet(form)
        return careful(*arguments, **named)

    def afresh(work: Work) -> None:
        seen.clear()
        work()

    monkeypatch.setattr(owner, name, careless)
    planted = {size: partial(afresh, work) for size, work in works.items()}
    found = square(planted, memory=form in COPIES)
    assert {re.sub(r":\d+:", ":", name) for name in found} == {
        f"{Path(__file__).name}: {form.__name__}"
    }


SPECS = [f"algorithms/spec_{number}.yaml" for number in range(3)]


@pytest.mark.parametrize(
    ("arguments", "specs"),
    [
        (["validate"], SPECS),
        (["validate", "--only-specs", *SPECS], SPECS),
        (["compile", *SPECS], SPECS),
        (["resolve", SPECS[0]], SPECS[:1]),
        (["run", "run.yaml"], ["run.yaml"]),
    ],
    ids=["validate", "only specs", "compile", "resolve", "run"],
)
def test_each_spec_is_held_against_the_schema_once(
    arguments: list[str], specs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, roots = schema.check_against, list[str]()

    def noted(root: schema.Mapping, against: schema.Linked) -> list[frontend.Diagnostic]:
        roots.append(root.file.path)
        return check(root, against)

    monkeypatch.setattr(schema, "check_against", noted)
    folder = tmp_path / "project"
    project(folder, len(SPECS))
    (folder / "run.yaml").write_text(
        HEAD.format(name="run") + '  only: {command: ["true"]}\nowner: team\n'
    )
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["mlc", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    assert sorted(root for root in roots if root != "mlc.toml") == specs
    assert roots.count("mlc.toml") <= 1
