"""Holds `python:` steps against the functions that they name, by reading the source, never
importing it. What is not in the project, or not a plain function, is left to the run."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from compiler.checks.signatures import Argument, Function, Unsuited, read_module
from compiler.diagnostics import Diagnostic, Edit, Fix, Related, Span, error, listing, nearest
from compiler.expr import (
    ArtifactType,
    Expr,
    InputRef,
    ParamRef,
    PipelineInputRef,
    StepOutputRef,
    Type,
    ValueType,
    walk,
)
from compiler.ir import Input, Output, Pipeline, Python, Step
from compiler.mending import only_near
from compiler.settings import Project

# Annotations that each type may stand for; what is not in the table is not judged.
_FITS = {
    "string": {"str"},
    "integer": {"int", "float"},
    "number": {"float"},
    "boolean": {"bool"},
    "array": {"list", "Sequence", "Iterable", "Collection", "tuple"},
    "object": {"dict", "Mapping", "MutableMapping"},
    "artifact": {"Path", "PathLike"},
    "artifacts": {"list", "Sequence", "Iterable", "Collection", "tuple"},
}
_MOST_SHOWN = 4


class Missing(Struct, frozen=True):
    """A module that is not in the project, and the one there that is meant, or None; `surely`
    where no other can be. `siblings` are the modules where it should be."""

    near: str | None
    surely: bool
    siblings: tuple[str, ...] = ()


def python_signature(step: Step, pipeline: Pipeline, project: Project) -> Iterator[Diagnostic]:
    """A `python:` step whose function is missing or takes other arguments."""
    program = step.program
    if not isinstance(program, Python):
        return
    place = program.span or step.span
    of_module, of_function = _parts(place, program)
    found = _find(program, project)
    if isinstance(found, Missing):
        message = f"there is no module `{program.module}` in the project"
        hint = f"did you mean `{found.near}`?" if found.near else ""
        if not hint and found.siblings:
            hint = f"`{program.module.rpartition('.')[0]}` has {listing(found.siblings)}"
        fix = _replaced(of_module, program.module, found.near) if found.surely else None
        yield error("MLC321", message, of_module, hint=hint, fix=fix)
    module = read_module(found, _shown(found)) if isinstance(found, Path) else None
    if module is None:
        return
    function = module.functions.get(program.function)
    if function is not None:
        yield from _mismatches(step, function, place, pipeline)
    elif program.function in module.unsuited:
        yield from _unsuited(step, program, of_function, module.unsuited[program.function])
    elif program.function not in module.others and not module.open:
        near = nearest(program.function, module.functions)
        known = [name for name in module.functions if not name.startswith("_")]
        hint = f"did you mean `{near}`?" if near else f"it has {listing(known)}"
        message = f"{module.path} has no function `{program.function}`"
        surely = near and only_near(program.function, module.functions) == near
        fix = _replaced(of_function, program.function, near) if surely else None
        yield error("MLC322", message, of_function, hint=hint if known else "", fix=fix)


def function_of(program: Python, project: Project) -> Function | None:
    """The function that a step names, where it can be read."""
    found = _find(program, project)
    module = read_module(found, _shown(found)) if isinstance(found, Path) else None
    return module.functions.get(program.function) if module else None


def _parts(place: Span, program: Python) -> tuple[Span, Span]:
    """The places of the module and of the function; the whole where it is not written plainly."""
    written = len(program.module) + 1 + len(program.function)
    quotes = place.end_column - place.column - written
    if place.line != place.end_line or quotes not in (0, 2):
        return place, place
    start = place.column + quotes // 2
    middle = start + len(program.module)
    return (
        place._replace(column=start, end_column=middle),
        place._replace(column=middle + 1, end_column=start + written),
    )


def _replaced(place: Span, old: str, new: str | None) -> Fix | None:
    if new is None or place.end_column - place.column != len(old):
        return None
    return Fix(f"replace `{old}` with `{new}`", (Edit(place, new),))


def _find(program: Python, project: Project) -> Path | Missing | None:
    """The module's file; `Missing` where the project should have it, None where others may."""
    roots = tuple(project.root / folder for folder in (*project.local.pythonpath, "."))
    return _found(program.module, program.function, roots)


# Many specs name the same function.
@functools.cache
def _found(name: str, function: str, roots: tuple[Path, ...]) -> Path | Missing | None:
    parts = name.split(".")
    for base in roots:
        for file in _files(base, parts):
            if file.is_file():
                return file
        if len(parts) > 1 and (base / parts[0] / "__init__.py").is_file():
            siblings = _modules(base.joinpath(*parts[:-1]))
            guess = nearest(parts[-1], siblings)
            near = ".".join([*parts[:-1], guess]) if guess else None
            surely = guess is not None and only_near(parts[-1], siblings) == guess
            return Missing(near, surely, siblings)
    # A package of its own name may be in the image. But where a slip leads to this very function
    # of the project, that is what is meant.
    for base in roots:
        for number, part in enumerate(parts):
            right = only_near(part, _modules(base.joinpath(*parts[:number])))
            if right is None:
                continue
            meant = [*parts[:number], right, *parts[number + 1 :]]
            near_file = next((f for f in _files(base, meant) if f.is_file()), None)
            module = read_module(near_file, _shown(near_file)) if near_file else None
            if module is not None and function in module.functions:
                return Missing(".".join(meant), surely=True)
    return None


def _files(base: Path, parts: list[str]) -> tuple[Path, Path]:
    return (
        base.joinpath(*parts).with_suffix(".py"),
        base.joinpath(*parts, "__init__.py"),
    )


@functools.cache
def _modules(folder: Path) -> tuple[str, ...]:
    """The modules and packages in a folder."""
    if not folder.is_dir():
        return ()
    names = {p.stem for p in folder.glob("*.py")} | {p.name for p in folder.iterdir() if p.is_dir()}
    names -= {"__init__", "__pycache__"}
    return tuple(sorted(name for name in names if name.isidentifier()))


def _shown(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)


def _mismatches(
    step: Step, function: Function, place: Span, pipeline: Pipeline
) -> Iterator[Diagnostic]:
    here = Related("the function", function.span)
    given: dict[str, Input | Output] = {i.name: i for i in step.inputs}
    given |= {o.name: o for o in step.outputs if isinstance(o.type, ArtifactType)}
    # A name that is misspelt is told once, as what is given.
    claimed: set[str | None] = set()
    for name, one in given.items():
        what, span = "input" if isinstance(one, Input) else "output", one.span
        argument = function.arguments.get(name)
        if argument is None:
            if not function.takes_any:
                free = set(function.arguments) - set(given)
                near = nearest(name, free)
                claimed.add(near)
                hint = f"did you mean `{near}`?" if near else "add the argument, or take it out"
                message = f"the function takes no argument `{name}`"
                surely = near and only_near(name, free) == near and _only_handed_over(one, step)
                fix = _replaced(span, name, near) if surely else None
                yield error("MLC323", message, span, hint=hint, related=(here,), fix=fix)
            continue
        problem = _annotation_problem(one.type, argument)
        if problem:
            related: tuple[Related, ...] = (
                Related(f"annotated here with {_annotated(argument)}", argument.span),
            )
            if isinstance(one, Input):
                related += _declared(one.value, pipeline)
            hint = "give another value, or change the annotation if that is wrong"
            message = f"{what} `{name}` {problem}"
            yield error("MLC402", message, span, hint=hint, related=related)
    for argument in function.arguments.values():
        if argument.required and argument.name not in given and argument.name not in claimed:
            message = f"the function needs an argument `{argument.name}`"
            hint = f"add `{argument.name}` to the step's `inputs` or artifact `outputs`"
            related = (Related("the argument", argument.span),)
            yield error("MLC324", message, place, hint=hint, related=related)
    yield from _wrong_result(step, function)


def _only_handed_over(one: Input | Output, step: Step) -> bool:
    """Whether nothing but the function takes an input."""
    parts = (part for expression in step.expressions() for part in walk(expression))
    names = (part.name for part in parts if isinstance(part, InputRef))
    return isinstance(one, Input) and one.name not in names


def _declared(value: Expr, pipeline: Pipeline) -> tuple[Related, ...]:
    """Where that is declared which an input takes."""
    places: dict[tuple[str, Span], None] = {}
    for part in walk(value):
        match part:
            case ParamRef(name=name):
                places |= {(name, p.span): None for p in pipeline.params if p.name == name}
            case PipelineInputRef(name=name):
                places |= {(name, i.span): None for i in pipeline.inputs if i.name == name}
            case StepOutputRef(step=name, output=output):
                step = next(step for step in pipeline.steps if step.name == name)
                places[output, step.output(output).span] = None
    return tuple(Related(f"`{name}` is declared here", span) for name, span in places)


def _wrong_result(step: Step, function: Function) -> Iterator[Diagnostic]:
    values = [o for o in step.outputs if isinstance(o.type, ValueType)]
    returns = function.returns
    if not values or returns is None:
        return
    related = (Related("the function", function.span),)
    if returns == {"None"}:
        message = f"the function returns nothing, so `{values[0].name}` is never written"
        hint = "let the function return it, or take the output out"
        yield error("MLC402", message, values[0].span, hint=hint, related=related)
    elif len(values) > 1 and not returns & _FITS["object"]:
        names = [output.name for output in values]
        message = f"the function returns {' or '.join(sorted(returns))}, no {_wanted(names)}"
        entries = ", ".join(f'"{name}": …' for name in names[:_MOST_SHOWN])
        more = ", …" if len(names) > _MOST_SHOWN else ""
        hint = f"return {{{entries}{more}}}, or declare what it returns alone"
        yield error("MLC326", message, values[0].span, hint=hint, related=related)
    elif len(values) == 1 and not returns & (_FITS[str(values[0].type)] | _FITS["object"]):
        message = f"`{values[0].name}` is {values[0].type}, but the function returns "
        message += " or ".join(sorted(returns))
        hint = "declare the type that it returns, or change the function"
        yield error("MLC402", message, values[0].span, hint=hint, related=related)


def _unsuited(step: Step, program: Python, place: Span, found: Unsuited) -> Iterator[Diagnostic]:
    """A call that runs nothing, or that makes an object where values are wanted."""
    values = [o.name for o in step.outputs if isinstance(o.type, ValueType)]
    related = (Related("the class" if found.is_class else "the function", found.span),)
    if not found.is_class:
        message = f"`{program.function}` is `async`: a call alone runs nothing of it"
        hint = f"name a plain function, with `return asyncio.run({program.function}(…))` in it"
        yield error("MLC326", message, place, hint=hint, related=related)
    elif values:
        message = f"`{program.function}` is a class, and an object of it is no {_wanted(values)}"
        hint = "name a function that makes the object and returns the values"
        yield error("MLC326", message, place, hint=hint, related=related)


def _wanted(values: list[str]) -> str:
    return f"mapping of {listing(values)}" if len(values) > 1 else f"value for `{values[0]}`"


def _annotation_problem(kind: Type, argument: Argument) -> str | None:
    if argument.kinds is None:
        return None
    if isinstance(kind, ArtifactType):
        wanted = "artifacts" if kind.is_list else "artifact"
    elif kind.kind is None:
        return None
    else:
        wanted = kind.kind
    if not argument.kinds & _FITS[wanted]:
        shown = {"artifact": "an artifact, a Path", "artifacts": "a list of artifacts"}
        is_what = shown.get(wanted, f"of type {wanted}")
        return f"is {is_what}, but the function takes {_annotated(argument)}"
    if isinstance(kind, ValueType) and kind.nullable and not argument.optional:
        return f"may be null, but the function takes {_annotated(argument)} only"
    return None


def _annotated(argument: Argument) -> str:
    return " or ".join(sorted(argument.kinds or ())) + (" or None" if argument.optional else "")
