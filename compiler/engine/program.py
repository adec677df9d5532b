"""A step as a process: its argument vector, its environment, and its key in the cache."""

from __future__ import annotations

from collections.abc import Mapping

from compiler.engine.artifacts import Artifact
from compiler.engine.cache import key_of
from compiler.engine.render import (
    Rendered,
    Site,
    Slot,
    evaluate,
    identity_of,
    items,
    render,
    words,
)
from compiler.expr import ValueType
from compiler.ir import Command, Python, Script
from compiler.runtime import shim_spec, shim_text
from compiler.values import JsonValue, to_json

# The first on the step's PATH: see `compiler.engine.environment.interpreter`.
_PYTHON: Rendered = ("python3",)


def arguments(site: Site) -> tuple[Rendered, ...]:
    """The argument vector of a step: its words, or what runs its script or function."""
    match site.step.program:
        case Command(arguments=given):
            return tuple(word for argument in given for word in words(argument, site))
        case Script(shell="sh", source=source):
            return (("sh",), ("-ec",), (source,), ("mlc",))
        case Script(shell="bash", source=source):
            return (("bash",), ("-eo",), ("pipefail",), ("-c",), (source,), ("mlc",))
        case Script(source=source):
            return (_PYTHON, ("-c",), (source,))
        case Python() as program:
            return _call(site, program)


def _call(site: Site, program: Python) -> tuple[Rendered, ...]:
    """The shim's words: what to call, the types, then a name and a text for each input and path."""
    step = site.step
    call: list[Rendered] = [
        _PYTHON,
        ("-c",),
        (shim_text(),),
        (f"{program.module}:{program.function}",),
        (shim_spec(step),),
    ]
    for given in step.inputs:
        if isinstance(given.type, ValueType) and given.type.kind is None:
            value = evaluate(given.value, site)
            assert not isinstance(value, (Artifact, tuple))
            call += [(given.name,), (to_json(value),)]
            continue
        for item in items(given.value, site):
            call += [(given.name,), item]
    for output in step.outputs:
        call += [(output.name,), _path(site, output.name)]
    return tuple(call)


def _path(site: Site, output: str) -> Rendered:
    return (Slot(site.output(output), f"output {output}"),)


def variables(site: Site) -> dict[str, Rendered]:
    """What a step's environment has of its own: for a script its inputs and outputs, and `env`."""
    own: dict[str, Rendered] = {}
    if isinstance(site.step.program, Script):
        for given in site.step.inputs:
            own[f"INPUT_{given.name.upper()}"] = render(given.value, site)
        for output in site.step.outputs:
            own[f"OUTPUT_{output.name.upper()}"] = _path(site, output.name)
    for variable in site.step.env:
        own[variable.name] = render(variable.value, site)
    return own


def cache_key(
    site: Site, argv: tuple[Rendered, ...], own: Mapping[str, Rendered], code: str
) -> str:
    """What a step's results depend on; `code` stands for the image's contents.

    The step's name is one of these: of two steps that do the same, as two random restarts may,
    each has results of its own, whichever ends first. So are the items of the loops around it.
    """
    step = site.step
    inputs: dict[str, JsonValue] = {
        given.name: [identity_of(item) for item in items(given.value, site)]
        for given in step.inputs
    }
    added = step.cache.key
    rounds: list[JsonValue] = [
        [each.loop, dict(each.items), dict(each.repeats)] for each in site.known.rounds()
    ]
    return key_of(
        {
            "step": step.name,
            "rounds": rounds,
            "image": step.image,
            "code": code,
            "workdir": step.workdir,
            "argv": [identity_of(word) for word in argv],
            "env": [[name, identity_of(value)] for name, value in own.items()],
            "inputs": inputs,
            "volumes": [[v.name, v.kind, v.source, v.sub_path] for v in step.volumes],
            "outputs": [[output.name, str(output.type)] for output in step.outputs],
            "key": None if added is None else identity_of(render(added, site)),
        }
    )
