"""Servers on loopback that answer as Argo's and KFP's do, and run pipelines on this machine.

Requests and answers are checked against the engines' own contracts. Names and nesting of nodes
follow the engines' controllers: a loop is a DAG, with a task group and a DAG for each round in it.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from expectation import MARK, Outcome
from jsonschema import Draft4Validator

from compiler.expr import ArtifactType
from compiler.ir import Loop, Node, Pipeline, Step, steps_of
from compiler.values import to_text

Run = Callable[[Mapping[str, Any]], tuple[Pipeline, Outcome]]
CONTRACTS = os.environ.get("MLC_ENGINE_CONTRACTS")
ARGO = "io.argoproj.workflow.v1alpha1."


class ContractError(AssertionError):
    """A request or an answer is not what the engine's contract says."""


def check(engine: str, definition: str, value: Any) -> None:
    schema = {**_contract(engine), "$ref": f"#/definitions/{definition}"}
    found = [e.message for e in Draft4Validator(schema).iter_errors(value)]
    if found:
        raise ContractError(f"{definition}: {found[0][:300]}")


@cache
def _contract(engine: str) -> dict[str, Any]:
    assert CONTRACTS
    tree = json.loads(Path(CONTRACTS, engine, "api.swagger.json").read_text())
    for definition in tree["definitions"].values():
        if definition.get("properties"):
            definition.setdefault("additionalProperties", False)
    return {"definitions": tree["definitions"]}


@contextmanager
def serving(answer: Callable[[str, str, Mapping[str, str], Any], Any]) -> Iterator[str]:
    """The address of a server. `answer` gets method, path, query and body; text it gives back goes
    out as it is, None is a 404."""

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            size = int(self.headers.get("Content-Length", "0"))
            body = json.loads(self.rfile.read(size)) if size else None
            try:
                found, status = answer(self.command, unquote(parts.path), query, body), 200
            except ContractError as problem:
                found, status = {"message": str(problem)}, 400
            status = 404 if found is None else status
            text = found if isinstance(found, str) else json.dumps(found)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_DELETE = do  # noqa: N815 - names that http.server asks for

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Argo:
    """An Argo Server; `run` runs a pipeline with the parameters of a request, as text."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.templates: dict[str, Any] = {}
        self.workflows: dict[str, Any] = {}
        self.logs: dict[str, str] = {}
        self.files: dict[str, str] = {}

    def __call__(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        kind, _, name = path.removeprefix("/api/v1/").partition("/ns")
        name = name.strip("/")
        if path.startswith("/artifact-files/"):
            return self.files.get("/".join(path.split("/")[4:]))
        if (method, kind) == ("POST", "workflow-templates"):
            check("argo-4.1", f"{ARGO}WorkflowTemplateCreateRequest", body)
            self.templates[body["template"]["metadata"]["name"]] = body["template"]
            return body["template"]
        if name == "submit":
            return self.submit(body)
        known = self.workflows if kind == "workflows" else self.templates
        if method == "DELETE":
            return None if known.pop(name, None) is None else {}
        if name.endswith("/log"):
            entry = {"content": self.logs.get(query["podName"], ""), "podName": query["podName"]}
            return json.dumps({"result": entry}) + "\n"
        return known.get(name)

    def submit(self, body: Any) -> Any:
        check("argo-4.1", f"{ARGO}WorkflowSubmitRequest", body)
        template = self.templates[body["resourceName"]]
        texts = body.get("submitOptions", {}).get("parameters", [])
        pipeline, outcome = self.run(dict(text.split("=", 1) for text in texts))
        name = f"{body['resourceName']}-x7k2p"
        nodes = _ArgoNodes(name, pipeline, outcome, self.logs, self.files)
        phase = "Succeeded" if outcome.status == "succeeded" else "Failed"
        workflow = {
            "metadata": {"name": name},
            "spec": template["spec"],
            "status": {"phase": phase, "nodes": nodes.found},
        }
        check("argo-4.1", f"{ARGO}Workflow", workflow)
        self.workflows[name] = workflow
        return workflow


class _ArgoNodes:
    def __init__(
        self,
        run: str,
        pipeline: Pipeline,
        outcome: Outcome,
        logs: dict[str, str],
        files: dict[str, str],
    ) -> None:
        self.run, self.pipeline, self.outcome = run, pipeline, outcome
        self.logs, self.files = logs, files
        self.found: dict[str, Any] = {}
        self.numbers = itertools.count(1000)
        # The first node has the name of the run.
        self.found[run] = {
            "id": run, "name": run, "displayName": run, "type": "DAG", "phase": "Succeeded",
            "templateName": "run", "outputs": self.handed_on(),
        }  # fmt: skip
        main = self.add("main", "DAG", run)
        self.level(pipeline.nodes, main, "")
        if pipeline.finally_nodes:
            self.level(pipeline.finally_nodes, self.add("main.onExit", "DAG", run), "")

    def add(self, display: str, kind: str, boundary: str | None, **more: Any) -> str:
        number = f"{self.run}-{next(self.numbers)}"
        node = {"id": number, "name": f"{self.run}.{display}", "displayName": display}
        node |= {"type": kind, "phase": "Succeeded", "templateName": display, **more}
        if boundary:
            node["boundaryID"] = boundary
        self.found[number] = node
        return number

    def level(self, nodes: tuple[Node, ...], boundary: str, suffix: str) -> None:
        for node in nodes:
            key, task = node.name + suffix, _argo_task(node.name)
            state = self.outcome.states.get(key)
            if state in ("skipped", "omitted"):
                phase = "Skipped" if state == "skipped" and node.when else "Omitted"
                self.add(task, "Skipped", boundary, phase=phase)
            elif isinstance(node, Step):
                self.step(node, key, task, boundary)
            else:
                self.loop(node, key, task, boundary)

    def loop(self, loop: Loop, key: str, task: str, boundary: str) -> None:
        around = self.add(task, "DAG", boundary)
        rounds = _rounds(loop, key, self.outcome)
        if not rounds:
            self.add("round", "Skipped", around, phase="Skipped")
            return
        self.add("round", "TaskGroup", around)
        for number in range(rounds):
            inside = self.add(f"round({number}:[{number},1])", "DAG", around)
            self.level(loop.body, inside, f"{key.removeprefix(loop.name)}.{number}")

    def step(self, step: Step, key: str, task: str, boundary: str) -> None:
        start, end = self.outcome.times[key]
        more: dict[str, Any] = {
            "phase": self.outcome.states[key].capitalize(),
            "startedAt": _time(start),
            "finishedAt": _time(end),
        }
        tries = (self.outcome.tries or {})[key]
        if step.retry is None:
            pod = self.add(task, "Pod", boundary, **more)
            retried = pod
        else:
            flag = {"retried": True}
            pods = [
                self.add(f"{task}({n})", "Pod", boundary, nodeFlag=flag, templateName=task, **more)
                for n in range(tries)
            ]
            retried = self.add(task, "Retry", boundary, children=pods, **more)
            pod = pods[-1]
        trace = (self.outcome.traces or {}).get(key)
        self.logs[f"{self.run}-{task}-{pod.rpartition('-')[2]}"] = f"{MARK}{json.dumps(trace)}"
        written = (self.outcome.outputs or {}).get(key, {})
        types = {output.name: output.type for output in step.outputs}
        self.found[retried]["outputs"] = self.written(written, types, pod)

    def written(self, values: Mapping[str, Any], types: Mapping[str, Any], pod: str) -> Any:
        parameters, artifacts = [], []
        for name, value in values.items():
            if isinstance(types[name], ArtifactType):
                artifacts.append({"name": name})
                self.files[f"{self.run}/{pod}/outputs/{name}"] = value or ""
            else:
                parameters.append({"name": name, "value": to_text(value)})
        return {"parameters": parameters, "artifacts": artifacts}

    def handed_on(self) -> Any:
        types = {output.name: output.type for output in self.pipeline.outputs}
        return self.written(self.outcome.result or {}, types, self.run)


class Kfp:
    """A KFP API server."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.runs: dict[str, Any] = {}

    def __call__(self, method: str, path: str, _: Mapping[str, str], body: Any) -> Any:
        name = path.removeprefix("/apis/v2beta1/runs").strip("/")
        if method == "POST":
            check("kfp-2.17", "v2beta1Run", body)
            pipeline, outcome = self.run(body["runtime_config"]["parameters"])
            details = list(_kfp_tasks(pipeline, outcome))
            made = {
                "run_id": "0c5a9f8e",
                "state": outcome.status.upper(),
                "run_details": {"task_details": details},
            }
            check("kfp-2.17", "v2beta1Run", made)
            self.runs["0c5a9f8e"] = made
            return made
        if method == "DELETE":
            return None if self.runs.pop(name, None) is None else {}
        return self.runs.get(name)


def _kfp_tasks(pipeline: Pipeline, outcome: Outcome) -> Iterator[dict[str, Any]]:
    numbers = itertools.count(1)

    def task(display: str, parent: str, state: str = "SUCCEEDED", **more: str) -> dict[str, Any]:
        number = f"t{next(numbers)}"
        return {
            "run_id": "0c5a9f8e", "task_id": number, "display_name": display,
            "parent_task_id": parent, "state": state, **more,
        }  # fmt: skip

    def level(nodes: tuple[Node, ...], parent: str, suffix: str) -> Iterator[dict[str, Any]]:
        for node in nodes:
            key = node.name + suffix
            name = re.sub("[_.-]+", "-", node.name).strip("-")
            state = outcome.states.get(key)
            if isinstance(node, Loop):
                around = task(f"for-{name}", parent)
                yield around
                for number in range(_rounds(node, key, outcome)):
                    inside = task(f"iteration({number}:{number})", around["task_id"])
                    yield inside
                    further = f"{suffix}.{number}"
                    yield from level(node.body, inside["task_id"], further)
            elif state == "skipped":
                yield task(name, parent, "SKIPPED")
            elif state in ("succeeded", "failed"):
                start, end = (_time(seconds) for seconds in outcome.times[key])
                yield task(f"{name}-driver", parent)
                own = task(name, parent, state.upper(), start_time=start, end_time=end)
                yield own
                yield task("executor", own["task_id"], state.upper())

    yield from level(pipeline.nodes, "", "")
    yield from level(pipeline.finally_nodes, "", "")


def _rounds(loop: Loop, key: str, outcome: Outcome) -> int:
    """How many rounds a loop had, by the instances of what is in it."""
    suffix = key.removeprefix(loop.name)
    inside = [f"{step.name}{suffix}." for step in steps_of(loop.body)]
    found = [
        int(name.removeprefix(start).partition(".")[0])
        for start in inside
        for name in outcome.states
        if name.startswith(start)
    ]
    return max(found, default=-1) + 1


def _argo_task(name: str) -> str:
    return name.replace("_", "-").replace(".", "--")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
