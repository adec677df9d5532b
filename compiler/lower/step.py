"""One step, from nodes to the IR."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from msgspec.structs import replace

from compiler import expr as ex
from compiler import ir
from compiler.binding import EVERYTHING, Scope, Where, bind, bind_value, origin, place
from compiler.diagnostics import Fix, error, warning
from compiler.lower import settings
from compiler.lower.outline import output_type
from compiler.lower.scripts import check_script
from compiler.mending import as_words
from compiler.nodes import Entry, Mapping, Node, Scalar, Sequence, mapping, text
from compiler.programs import moved
from compiler.programs.known import Dialect
from compiler.schema_hints import line_of_shell
from compiler.settings import Project
from compiler.values import carrying_problem, to_text

# Stands in for a program that is wrong, so that the step keeps its place in the graph.
_NOTHING = ir.Command((), has_shell=True)


def lower_step(
    name: Scalar,
    node: Mapping,
    scope: Scope,
    project: Project,
    given: tuple[ir.Input, ...] | None = None,
) -> ir.Step:
    """The step of a resolved definition, without `when` and `needs`.

    A component is `given` its inputs and params; what it has under `inputs` are declarations. What
    is wrong is added to the scope's diagnostics. The scope stays inside the step.
    """
    inputs_node, outputs_node = mapping(node.get("inputs")), mapping(node.get("outputs"))
    volumes_node = mapping(node.get("volumes"))
    volumes = settings.volumes(volumes_node, scope)
    # One that is wrong in itself is declared all the same.
    volume_names = frozenset(volumes_node.entries if volumes_node else ()) | _broken(volumes_node)
    step = scope.prefix + name.text
    for key in ("inputs", "outputs", "volumes"):
        scope.broken[f"step {key}"] = EVERYTHING if key in node.broken else frozenset()
    scope.inside(step, {}, {}, volume_names)
    inputs = _inputs(inputs_node, scope) if given is None else given
    declared: dict[str, ex.Type | None] = dict.fromkeys(inputs_node.entries) if inputs_node else {}
    broken_inputs = inputs_node.broken if inputs_node else frozenset()
    declared |= dict.fromkeys(broken_inputs)
    outputs = _outputs(outputs_node)
    scope.inside(
        step,
        declared | {i.name: i.type for i in inputs if i.name in declared},
        dict.fromkeys([*(outputs_node.entries if outputs_node else ()), *_broken(outputs_node)]),
        volume_names,
        {i.name: i.value for i in inputs},
    )
    program = _program(node, scope)
    if isinstance(program, ir.Python):
        _shared_names([*declared, *(i.name for i in inputs)], outputs_node, scope)
    else:
        _no_lists(inputs, scope)
    image_node = node.get("image")
    image = None
    if isinstance(image_node, Scalar):
        bound = bind(image_node, scope, Where.COMPILE_TIME, text=True)
        image = to_text(bound.value) if isinstance(bound, ex.Literal) else None
    retry, cache = node.entries.get("retry"), node.entries.get("cache")
    step_env = settings.env(mapping(node.get("env")), scope)
    step_cache = settings.cache(
        cache.key if cache else None,
        mapping(cache.value) if cache else None,
        scope,
        default=bool(outputs) and scope.main_steps is None,
    )
    return ir.Step(
        name=step,
        program=program,
        inputs=inputs,
        outputs=outputs,
        needs=(),
        image=image,
        env=step_env,
        resources=settings.resources(mapping(node.get("resources")), scope, project),
        volumes=volumes,
        pod=settings.pod(mapping(node.get("pod")), scope),
        workdir=settings.fixed(node.get("workdir"), scope),
        retry=settings.retry(retry.key, mapping(retry.value), scope) if retry else None,
        timeout=_timeout(node.entries.get("timeout")),
        cache=step_cache,
        description=text(node.get("description")) or "",
        span=name.span,
        image_span=image_node.span if image_node else None,
    )


def _inputs(node: Mapping | None, scope: Scope) -> tuple[ir.Input, ...]:
    inputs = []
    for name, entry in node or ():
        value = bind_value(entry.value, scope, Where.INPUT)
        if value is not None:
            inputs.append(ir.Input(name, value.type, value, entry.key.span))
    return tuple(inputs)


def _outputs(node: Mapping | None) -> tuple[ir.Output, ...]:
    outputs = []
    for name, entry in node or ():
        kind = output_type(entry.value)
        definition = mapping(entry.value)
        description = text(definition.get("description")) if definition else None
        if kind is not None:
            outputs.append(ir.Output(name, kind, description or "", entry.key.span))
    return tuple(outputs)


def _broken(node: Mapping | None) -> frozenset[str]:
    return node.broken if node else frozenset()


def _program(node: Mapping, scope: Scope) -> ir.Program:
    shell = node.entries.get("shell")
    shell_name = text(shell.value) if shell else None
    if "command" in node.broken:
        return ir.Command(_words(node.get("args"), scope), has_shell=True)
    if "command" not in node.entries and "args" in node.entries:
        key = node.entries["args"].key
        message = "`args` goes with `command`"
        hint = "a script or a function takes its values from `inputs`"
        scope.diagnostics.append(error("MLC105", message, key.span, hint=hint))
    if "command" in node.entries:
        if shell and shell_name != "none":
            message = f"`shell: {shell_name}` goes with `script`"
            hint = "an argument vector runs without a shell"
            scope.diagnostics.append(error("MLC105", message, shell.key.span, hint=hint))
        words = _words(node.get("command"), scope) + _words(node.get("args"), scope)
        _one_word(node.get("command"), scope)
        return ir.Command(words, has_shell=shell_name != "none")
    source = node.get("script")
    if isinstance(source, Scalar):
        if shell and shell_name == "none":
            message = "a script needs a shell"
            hint = "`none` is for `command` steps; leave `shell` out for `sh`"
            scope.diagnostics.append(error("MLC105", message, shell.value.span, hint=hint))
            shell_name = None
        _no_expressions(source, node, shell_name or "sh", scope)
        check_script(source, node, shell_name or "sh", scope)
        problem = carrying_problem(source.text)
        if problem:
            scope.diagnostics.append(error("MLC506", problem, source.span))
        return ir.Script(cast(ir.Shell, shell_name or "sh"), source.text, source.span)
    function = node.get("python")
    if not isinstance(function, Scalar):
        return _NOTHING
    if shell:
        message = "`shell` goes with `script`"
        scope.diagnostics.append(error("MLC105", message, shell.key.span))
    module, _, attribute = function.text.partition(":")
    return ir.Python(module, attribute, function.span)


def _one_word(command: Node | None, scope: Scope) -> None:
    """Warn of a whole command line as the first word, which is the name of one program."""
    first = command.items[0] if isinstance(command, Sequence) and command.items else None
    if not isinstance(first, Scalar) or "${{" in first.text or scope.is_used:
        return
    words = first.text.split()
    if len(words) > 1 and not first.text.startswith(("/", ".")):
        message = f"`{first.text}` is one word, so it is the name of one program"
        hint = line_of_shell(first.text) or f"give each word by itself: {', '.join(words)}"
        fix = as_words(first) if _is_flow(command) else None
        scope.diagnostics.append(warning("MLC461", message, first.span, hint=hint, fix=fix))


def _is_flow(node: Node | None) -> bool:
    return node is not None and node.file.text.startswith("[", node.start.index)


def _words(node: Node | None, scope: Scope) -> tuple[ir.Argument, ...]:
    words: list[ir.Argument] = []
    for item in node.items if isinstance(node, Sequence) else ():
        if isinstance(item, Scalar):
            value = bind(item, scope, Where.ARGUMENT, text=True)
            if value is not None:
                words.append(ir.Word(value))
        elif isinstance(item, Mapping):
            words += _flags(item, scope)
    return tuple(words)


def _timeout(entry: Entry | None) -> ir.Timeout | None:
    seconds = settings.seconds(entry.value) if entry else None
    return ir.Timeout(seconds, entry.key.span, entry.value.span) if entry and seconds else None


def _flags(node: Mapping, scope: Scope) -> list[ir.Argument]:
    flags: list[ir.Argument] = []
    for name, entry in node:
        joined = name.endswith("=")
        if "${{" in name:
            message = "the name of a flag can't be an expression"
            scope.diagnostics.append(error("MLC406", message, entry.key.span))
            continue
        if not isinstance(entry.value, Scalar):
            continue
        value = bind(entry.value, scope, Where.FLAG, text=False)
        if value is None:
            continue
        if isinstance(value.type, ex.ArtifactType) and value.type.is_list:
            message = "a flag takes one artifact, found a list of them"
            hint = "lists of artifacts are for `python:` steps"
            related = origin(value, scope=scope)
            found = error("MLC402", message, value.span, hint=hint, related=related)
            scope.diagnostics.append(found)
            continue
        if (
            isinstance(value, ex.Literal)
            and value.type.kind in ("integer", "number")
            and "${{" not in entry.value.text
        ):
            # A plain number is what it looks like: `1.10` stays `1.10`.
            value = ex.Literal(entry.value.text, ex.STRING, value.span)
        flags.append(ir.Flag(name.removesuffix("="), value, joined))
    return flags


def _no_expressions(source: Scalar, node: Mapping, shell: str, scope: Scope) -> None:
    at = source.text.find("${{")
    if at < 0:
        return
    end = source.text.find("}}", at)
    span = place(source, at, end + 2 if end > 0 else at + 3)
    read = 'os.environ["NAME"]' if shell == "python" else '"$NAME"'
    hint = f"give it a name under `env`, and write {read} in the script"
    message = "a script takes no expressions: what a user types is never pasted into a program"
    fix = _into_env(source, node, shell, scope)
    scope.diagnostics.append(error("MLC408", message, span, hint=hint, fix=fix))


def _into_env(source: Scalar, node: Mapping, shell: str, scope: Scope) -> Fix | None:
    """The fix that gives the expressions of a script names, where `env` takes all of them."""
    tried = replace(scope, diagnostics=[], used_git=set(scope.used_git))
    bind(source, tried, Where.ENV, text=True)
    # A secret is no part of a text, but gets a name of its own here.
    if any(found.code != "MLC405" for found in tried.diagnostics):
        return None
    env = mapping(node.get("env"))
    taken = frozenset(env.entries) if env else frozenset()
    dialect: Dialect = "python" if shell == "python" else "shell"
    return moved(source.file, source.start.index, dialect, taken)


def _no_lists(inputs: tuple[ir.Input, ...], scope: Scope) -> None:
    for given in inputs:
        if isinstance(given.type, ex.ArtifactType) and given.type.is_list:
            message = f"`{given.name}` is a list of artifacts, which only `python:` steps take"
            hint = "give each artifact an input of its own"
            related = origin(given.value, scope=scope)
            found = error("MLC402", message, given.span, hint=hint, related=related)
            scope.diagnostics.append(found)


def _shared_names(inputs: Collection[str], outputs: Mapping | None, scope: Scope) -> None:
    for name, entry in outputs or ():
        if name in inputs and isinstance(output_type(entry.value), ex.ArtifactType):
            message = f"`{name}` is both an input and an artifact output"
            hint = "a function gets both as arguments, so they need different names"
            scope.diagnostics.append(error("MLC311", message, entry.key.span, hint=hint))
