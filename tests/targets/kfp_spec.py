"""Reads KFP's IR as its own consumers do, and makes what two writers wrote comparable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes_pb
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

Tree = dict[str, Any]
PLACEHOLDER = re.compile(
    r"\{\{\$\.(inputs|outputs)\.(parameters|artifacts)\['([^']+)'\](?:\.(path|output_file))?\}\}"
)


@dataclass(frozen=True)
class Written:
    """Both documents in protobuf's JSON form, with nothing spelled out that absence means too."""

    spec: Tree
    platform: Tree


def read(text: str) -> Written:
    """Parse strictly: the API server refuses what the messages don't know, or drops it silently."""
    documents = list(yaml.safe_load_all(text))
    assert len(documents) in (1, 2)
    spec = _strict(documents[0], pb.PipelineSpec())
    # A Struct to the PipelineSpec, and a message of its own to the backend.
    spec["deploymentSpec"] = _strict(spec["deploymentSpec"], pb.PipelineDeploymentConfig())
    if len(documents) == 1:
        return Written(spec, {})
    platform = _strict(documents[1], pb.PlatformSpec())
    assert set(platform["platforms"]) == {"kubernetes"}
    executors = platform["platforms"]["kubernetes"].get("deploymentSpec", {}).get("executors", {})
    for label, config in executors.items():
        executors[label] = _strict(config, kubernetes_pb.KubernetesExecutorConfig())
    return Written(spec, platform)


def normalised(written: Written, imports: dict[str, str]) -> Written:
    """What is left of a document when its writer's habits are taken away.

    `imports` gives the name of the import task for the URI's parameter. What goes, and why:

    - `sdkVersion`: says who wrote it.
    - `literals`: the SDK has no way to write them; explained as a loss of kfp-dsl.
    - The numbers in `resources` and `accelerator.{type,count}`: the SDK writes each amount a second
      time into the deprecated field, for servers before 2.4.
    - White space in descriptions: docstrings fold it.
    - `importer`, `importer-2` …: the SDK names importer tasks so, whatever they import; the backend
      knows tasks by their name and by nothing else, so all that counts is that references follow.
    """
    tasks = written.spec["root"]["dag"]["tasks"]
    renamed = {
        name: imports[task["inputs"]["parameters"]["uri"]["componentInputParameter"]]
        for name, task in tasks.items()
        if "importer" in executor(written, name)
    }
    return Written(
        _without_habits({k: v for k, v in written.spec.items() if k != "sdkVersion"}, renamed),
        _without_habits(written.platform, {}),
    )


def import_names(written: Written) -> dict[str, str]:
    """The import tasks by the parameter that holds their URI."""
    tasks = written.spec["root"]["dag"]["tasks"]
    return {
        task["inputs"]["parameters"]["uri"]["componentInputParameter"]: name
        for name, task in tasks.items()
        if "importer" in executor(written, name)
    }


def executor(written: Written, task: str) -> Tree:
    """The executor of a task of the root."""
    component = written.spec["root"]["dag"]["tasks"][task]["componentRef"]["name"]
    label = written.spec["components"][component]["executorLabel"]
    found: Tree = written.spec["deploymentSpec"]["executors"][label]
    return found


def words(written: Written, task: str) -> list[str]:
    """The words of a task's container."""
    container = executor(written, task)["container"]
    return [*container["command"], *container.get("args", ())]


def dangling(written: Written) -> list[str]:
    """References that don't resolve in their own DAG, as sentences; empty where all is well."""
    return list(_dangling(written))


def _dangling(written: Written) -> Iterator[str]:
    spec = written.spec
    tasks, components = spec["root"]["dag"]["tasks"], spec["components"]
    given = _ports(spec["root"], "input")
    executors = spec["deploymentSpec"]["executors"]
    config = written.platform.get("platforms", {}).get("kubernetes", {})
    for label in config.get("deploymentSpec", {}).get("executors", {}):
        if label not in executors:
            yield f"platform settings of {label}, which is no executor"
    for name, task in tasks.items():
        if task["taskInfo"]["name"] != name:
            yield f"{name} is shown as another task"
        component = components.get(task["componentRef"]["name"])
        if component is None or component["executorLabel"] not in executors:
            yield f"{name} has no component or executor"
            continue
        upstream = set(task.get("dependentTasks", ()))
        if upstream - tasks.keys():
            yield f"{name} waits for {upstream - tasks.keys()}"
        passed = set()
        for kind in ("parameters", "artifacts"):
            for port, source in task.get("inputs", {}).get(kind, {}).items():
                passed.add((kind, port))
                yield from _dangling_source(written, name, port, source, given, upstream)
        if passed != _ports(component, "input"):
            yield f"{name} gets {passed}, its component takes {_ports(component, 'input')}"
        container = executors[component["executorLabel"]].get("container", {})
        known = {
            *(("inputs", *port) for port in _ports(component, "input")),
            *(("outputs", *port) for port in _ports(component, "output")),
        }
        for word in (*container.get("command", ()), *container.get("args", ())):
            for found in PLACEHOLDER.finditer(word):
                if (found[1], found[2], found[3]) not in known:
                    yield f"{name} uses {found[0]}"
            if "{{" in PLACEHOLDER.sub("", word):
                yield f"{name} has braces in {word!r} that are no placeholder"


def _dangling_source(
    written: Written,
    task: str,
    port: str,
    source: Tree,
    given: set[tuple[str, str]],
    upstream: set[str],
) -> Iterator[str]:
    if "componentInputParameter" in source:
        if ("parameters", source["componentInputParameter"]) not in given:
            yield f"{task}.{port} comes from {source}"
        return
    for kind, key in (("Parameter", "parameters"), ("Artifact", "artifacts")):
        made = source.get(f"taskOutput{kind}")
        if made is None:
            continue
        if made["producerTask"] not in upstream:
            yield f"{task}.{port} comes from {made['producerTask']}, which it does not wait for"
            continue
        producer = written.spec["root"]["dag"]["tasks"][made["producerTask"]]
        component = written.spec["components"][producer["componentRef"]["name"]]
        if (key, made[f"output{kind}Key"]) not in _ports(component, "output"):
            yield f"{task}.{port} comes from {made}"


def _ports(component: Tree, side: str) -> set[tuple[str, str]]:
    definitions = component.get(f"{side}Definitions", {})
    return {(kind, name) for kind, ports in definitions.items() for name in ports}


def _strict(tree: Tree, message: Any) -> Tree:
    json_format.ParseDict(tree, message, ignore_unknown_fields=False)
    parsed: Tree = json_format.MessageToDict(message)
    return parsed


_NUMBERS = {"cpuLimit", "cpuRequest", "memoryLimit", "memoryRequest", "type", "count"}


def _without_habits(tree: Any, renamed: dict[str, str], path: tuple[str, ...] = ()) -> Any:
    if isinstance(tree, dict):
        names = {"components", "executors", "tasks"} & set(path[-1:])
        return {
            (_renamed(key, renamed) if names else key): _without_habits(
                value, renamed, (*path, key)
            )
            for key, value in tree.items()
            if not (key == "literals" and "parameterType" in tree)
            and not ({"resources", "accelerator"} & set(path[-1:]) and key in _NUMBERS)
        }
    if isinstance(tree, list):
        items = [_without_habits(item, renamed, path) for item in tree]
        return sorted(items) if path[-1:] == ("dependentTasks",) else items
    if isinstance(tree, str):
        if path[-1] == "description":
            return " ".join(tree.split())
        in_graph = {"dependentTasks", "producerTask", "executorLabel"} & set(path[-1:])
        if in_graph or path[-2:] in (("componentRef", "name"), ("taskInfo", "name")):
            return _renamed(tree, renamed)
    return tree


def _renamed(name: str, renamed: dict[str, str]) -> str:
    for prefix in ("comp-", "exec-", ""):
        if name.startswith(prefix) and name.removeprefix(prefix) in renamed:
            return prefix + renamed[name.removeprefix(prefix)]
    return name


def delivered(
    written: Written, task: str, values: dict[str, str], files: dict[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Argument vector and environment of a task's process, as the driver and launcher make them.

    `values` are the texts of input parameters, `files` the paths of input artifacts and of outputs.
    The container goes to the driver as an argument (expanded by its kubelet), the driver puts in
    parameters where a word names no output, the pod's kubelet expands again, and the launcher puts
    in the rest.
    """
    container = executor(written, task)["container"]
    variables: dict[str, str] = {}
    for variable in container.get("env", ()):
        value = expanded(variable.get("value", ""), {"KFP_POD_NAME": "driver"})
        variables[variable["name"]] = expanded(value, variables)
    argv = []
    for word in words(written, task):
        text = expanded(word, {"KFP_POD_NAME": "driver"})
        if "$.outputs" not in text:
            assert not text.strip().startswith('{"IfPresent":'), "the driver takes it for a clause"
            text = PLACEHOLDER.sub(lambda m: values.get(m[3], m[0]) if not m[4] else m[0], text)
        text = expanded(text, variables)
        argv.append(PLACEHOLDER.sub(lambda m: files[m[3]] if m[4] else values[m[3]], text))
    return argv, variables


def expanded(text: str, variables: dict[str, str]) -> str:
    """What the kubelet makes of a text: `$$` is `$`, `$(NAME)` a known variable's value."""
    return re.sub(
        r"\$\$|\$\(([^)]*)\)",
        lambda m: "$" if m[0] == "$$" else variables.get(m[1], m[0]),
        text,
        flags=re.DOTALL,
    )
