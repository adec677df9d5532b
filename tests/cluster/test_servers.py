"""The engines on loopback, used by the clients that people use for the real ones."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import kfp_server_api
import pytest
import urllib3
import yaml
from cluster.servers.access import Access
from cluster.servers.authority import make_authority
from cluster.servers.faults import KINDS
from cluster.servers.kfp import Kfp
from cluster.servers.kubernetes import write_kubeconfig
from cluster.servers.objects import KubeError
from cluster.servers.tickets import Tickets
from cluster.servers.wire import Server
from cluster.servers.workflows import Cluster
from hera.exceptions import AlreadyExists, BadRequest, InternalServerError
from hera.workflows import WorkflowsService, models
from kfp import Client
from kubernetes import client, config


def pipeline_spec(*tasks: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    """A spec of containers one after another."""
    executor = {"container": {"image": "python:3.12", "command": ["true"]}}
    return {
        "pipelineInfo": {"name": "train-doc-type"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
        "components": {f"comp-{task}": {"executorLabel": f"exec-{task}"} for task in tasks},
        "deploymentSpec": {"executors": {f"exec-{task}": executor for task in tasks}},
        "root": {
            "inputDefinitions": {"parameters": parameters or {}},
            "dag": {
                "tasks": {
                    task: {
                        "componentRef": {"name": f"comp-{task}"},
                        "taskInfo": {"name": task},
                        "dependentTasks": list(tasks[:number])[-1:],
                    }
                    for number, task in enumerate(tasks)
                }
            },
        },
    }


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    parameters = {
        "epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3},
        "mode": {"parameterType": "STRING", "literals": ["toy", "full"], "defaultValue": "toy"},
        "data": {"parameterType": "STRING"},
    }
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(pipeline_spec("prepare", "train", parameters=parameters)))
    return path


class TestKfp:
    def test_the_sdk_goes_from_upload_to_a_finished_run(self, kfp: Server, spec_file: Path) -> None:
        client = Client(host=kfp.url)
        pipeline = client.upload_pipeline(str(spec_file), "doc-type", description="of documents")
        version = client.upload_pipeline_version(
            str(spec_file), "v2", pipeline_name="doc-type", description="second"
        )
        assert client.get_pipeline_id("doc-type") == pipeline.pipeline_id
        experiment = client.create_experiment("IA-1742-doc-type")
        assert (
            client.create_experiment("IA-1742-doc-type").experiment_id == experiment.experiment_id
        )
        run = client.run_pipeline(
            experiment.experiment_id,
            "first",
            pipeline_id=pipeline.pipeline_id,
            version_id=version.pipeline_version_id,
            params={"data": "s3://x", "epochs": 5},
        )
        done = client.wait_for_run_completion(run.run_id, timeout=60, sleep_duration=0)
        assert done.state == "SUCCEEDED"
        names = [task.display_name for task in done.run_details.task_details]
        assert {"root", "root-driver", "prepare", "train-driver", "train"} <= set(names)
        assert [one.state for one in done.state_history] == ["PENDING", "RUNNING", "SUCCEEDED"]

    def test_a_run_that_fails_can_be_retried(self, kfp: Server, spec_file: Path) -> None:
        kfp.app.script.outcomes["*/train"] = "FAIL_ONCE"
        client = Client(host=kfp.url)
        run = client.create_run_from_pipeline_package(
            str(spec_file), arguments={"data": "x"}, run_name="inline"
        )
        assert client.wait_for_run_completion(run.run_id, 60, 0).state == "FAILED"
        client._run_api.run_service_retry_run(run_id=run.run_id)
        assert client.wait_for_run_completion(run.run_id, 60, 0).state == "SUCCEEDED"

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            ({}, "parameter data is not optional"),
            ({"data": "x", "nope": 1}, "not required by pipeline: nope"),
            ({"data": "x", "epochs": "five"}, "input parameter epochs requires type double"),
            ({"data": "x", "mode": "huge"}, "allowed literal values"),
        ],
    )
    def test_inputs_are_checked(
        self, kfp: Server, spec_file: Path, arguments: dict[str, Any], text: str
    ) -> None:
        with pytest.raises(kfp_server_api.ApiException, match=text) as refused:
            Client(host=kfp.url).create_run_from_pipeline_package(
                str(spec_file), arguments=arguments
            )
        assert refused.value.status == 400
        assert kfp.app.runs == {}

    def test_a_name_is_taken_once(self, kfp: Server, spec_file: Path) -> None:
        client = Client(host=kfp.url)
        client.upload_pipeline(str(spec_file), "doc-type")
        with pytest.raises(kfp_server_api.ApiException) as refused:
            client.upload_pipeline(str(spec_file), "doc-type")
        assert refused.value.status == 409
        assert "error_message" in refused.value.body
        api = client._experiment_api
        body = kfp_server_api.V2beta1Experiment(display_name="twice")
        api.experiment_service_create_experiment(experiment=body)
        with pytest.raises(kfp_server_api.ApiException, match='"code": 6') as refused:
            api.experiment_service_create_experiment(experiment=body)
        assert refused.value.status == 409

    def test_schedules_fire_and_their_end_can_spare_their_runs(
        self, kfp: Server, spec_file: Path
    ) -> None:
        client = Client(host=kfp.url)
        pipeline = client.upload_pipeline(str(spec_file), "doc-type")
        experiment = client.create_experiment("master")
        api = client._recurring_run_api
        for number in range(2):
            job = client.create_recurring_run(
                experiment.experiment_id,
                f"nightly-{number}",
                cron_expression="0 0 3 * * *",
                pipeline_id=pipeline.pipeline_id,
                params={"data": "x"},
                version_id=client.list_pipeline_versions(pipeline.pipeline_id)
                .pipeline_versions[0]
                .pipeline_version_id,
            )
            assert job.status == "ENABLED"
            assert kfp.app.trigger(job.recurring_run_id).recurring_run_id == job.recurring_run_id
            client.disable_recurring_run(job.recurring_run_id)
            assert kfp.app.trigger(job.recurring_run_id) is None
            policy = {"propagation_policy": "ORPHAN"} if number else {}
            api.recurring_run_service_delete_recurring_run(job.recurring_run_id, **policy)
            assert len(kfp.app.killed) == 1
        assert kfp.app.recurring == {}

    def test_lists_come_in_pages_filtered_and_sorted(self, kfp: Server) -> None:
        client = Client(host=kfp.url)
        for number in range(25):
            client.create_experiment(f"ia-{number:02d}")
        kfp.faults.page_size = 3
        seen: list[str] = []
        token = ""
        is_mine = {"operation": "IS_SUBSTRING", "key": "display_name", "string_value": "IA_"}
        spec = json.dumps({"predicates": [is_mine]})
        while True:
            page = client.list_experiments(
                page_token=token, page_size=100, sort_by="display_name desc", filter=spec
            )
            seen += [one.display_name for one in page.experiments]
            if not (token := page.next_page_token):
                break
        assert seen == [f"ia-{number:02d}" for number in reversed(range(25))]
        with pytest.raises(kfp_server_api.ApiException, match="unrecognized field"):
            client.list_runs(filter=spec.replace("display_name", "labels"))

    def test_a_metrics_file_is_found_by_the_drivers_words(
        self, kfp: Server, tmp_path: Path
    ) -> None:
        spec = pipeline_spec("train")
        schema = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}
        outputs = {"artifacts": {"metrics": schema}}
        spec["components"]["comp-train"]["outputDefinitions"] = outputs
        path = tmp_path / "pipeline.yaml"
        path.write_text(yaml.safe_dump(spec))
        kfp.app.script.metrics["*/train"] = {"f1": 0.91}
        run = Client(host=kfp.url).create_run_from_pipeline_package(str(path))
        kfp.app.finish(run.run_id)
        detail = urllib3.request("GET", f"{kfp.url}/apis/v1beta1/runs/{run.run_id}").json()
        workflow = json.loads(detail["pipeline_runtime"]["workflow_manifest"])
        (driver,) = [
            node
            for node in workflow["status"]["nodes"].values()
            if node["displayName"] == "train-driver"
        ]
        patch = json.loads(driver["outputs"]["parameters"][0]["value"])
        command = patch["containers"][0]["command"]
        given = json.loads(command[command.index("--executor_input") + 1])
        uri = given["outputs"]["artifacts"]["metrics"]["artifacts"][0]["uri"]
        source, bucket, key = uri.replace("://", "/").split("/", 2)
        fields = {"source": source, "bucket": bucket, "key": key}
        answer = urllib3.request("GET", f"{kfp.url}/artifacts/get", fields=fields)
        assert answer.json() == {"f1": 0.91}

    @pytest.mark.usefixtures("contracts")
    def test_namespaces_are_kept_apart(self) -> None:
        access = Access(token="secret", namespaces=frozenset({"ml"}))
        with Server(Kfp(multi_user=True, access=access)) as server:
            with pytest.raises(kfp_server_api.ApiException) as refused:
                Client(host=server.url, existing_token="old").list_experiments(namespace="ml")
            assert refused.value.status == 401
            client = Client(host=server.url, existing_token="secret", namespace="ml")
            experiment = client.create_experiment("mine", namespace="ml")
            assert experiment.namespace == "ml"
            with pytest.raises(kfp_server_api.ApiException) as refused:
                client.list_runs(namespace="others")
            assert refused.value.status == 403
            with pytest.raises(kfp_server_api.ApiException, match="can not be empty"):
                client._run_api.run_service_create_run(run={"display_name": "x"})


def manifest(name: str, kind: str = "WorkflowTemplate", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "labels": {"project": "demo"}},
        "spec": spec,
    }


TEMPLATE: dict[str, Any] = {
    "entrypoint": "main",
    "arguments": {"parameters": [{"name": "epochs", "value": "3"}, {"name": "data"}]},
    "templates": [
        {
            "name": "main",
            "dag": {
                "tasks": [
                    {"name": "prepare", "template": "step"},
                    {"name": "train", "template": "step", "depends": "prepare"},
                ]
            },
        },
        {"name": "step", "container": {"image": "python:3.12", "command": ["true"]}},
    ],
}


class TestArgo:
    def test_hera_goes_from_a_template_to_a_finished_workflow(self, argo: Server) -> None:
        argo.app.script.outputs["*/train"] = {"f1": "0.91"}
        service = WorkflowsService(host=argo.url, namespace="ml", verify_ssl=False)
        made = models.WorkflowTemplate.model_validate(manifest("doc-type", **TEMPLATE))
        service.create_workflow_template(models.WorkflowTemplateCreateRequest(template=made))
        with pytest.raises(AlreadyExists):
            service.create_workflow_template(models.WorkflowTemplateCreateRequest(template=made))
        options = models.SubmitOpts(parameters=["data=s3://x"], labels="branch=main")
        workflow = service.submit_workflow(
            models.WorkflowSubmitRequest(
                resource_kind="WorkflowTemplate",
                resource_name="doc-type",
                submit_options=options,
            )
        )
        name = workflow.metadata.name
        phases = []
        while (status := service.get_workflow(name).status) is None or not status.finished_at:
            phases.append(status.phase if status else "")
        assert phases[0] == "" and set(phases[1:]) == {"Running"}
        assert status.phase == "Succeeded"
        (train,) = [node for node in status.nodes.values() if node.display_name == "train"]
        assert train.outputs.parameters[0].value == "0.91"
        arguments = status.stored_workflow_template_spec.arguments.parameters
        assert {one.name: one.value for one in arguments} == {"epochs": "3", "data": "s3://x"}
        found = service.list_workflows(label_selector="branch=main").items
        assert [one.metadata.name for one in found] == [name]
        assert service.list_workflows(label_selector="branch!=main").items == []
        assert service.get_version().version == "v4.1.2"

    def test_a_workflow_that_fails_is_retried_and_outlives_itself_in_the_archive(
        self, argo: Server
    ) -> None:
        service = WorkflowsService(host=argo.url, namespace="ml", verify_ssl=False)
        arguments = {"parameters": [{"name": "data", "value": "x"}]}
        argo.app.script.outcomes["first/train"] = "FailOnce"
        for name in ("first", "second", "third"):
            body = manifest(name, "Workflow", **{**TEMPLATE, "arguments": arguments})
            workflow = models.Workflow.model_validate(body)
            service.create_workflow(models.WorkflowCreateRequest(workflow=workflow))
        assert argo.app.cluster.finish("ml", "first")["status"]["phase"] == "Failed"
        service.retry_workflow("first", models.WorkflowRetryRequest())
        assert argo.app.cluster.finish("ml", "first")["status"]["phase"] == "Succeeded"
        service.terminate_workflow("second", models.WorkflowTerminateRequest())
        assert argo.app.cluster.finish("ml", "second")["status"]["phase"] == "Failed"
        with pytest.raises(InternalServerError, match="cannot shutdown a completed workflow"):
            service.stop_workflow("second", models.WorkflowStopRequest())
        argo.app.cluster.expire("ml", "first")
        assert service.get_workflow("first").status.phase == "Succeeded"
        argo.faults.page_size = 1
        names, token = [], None
        while True:
            page = service.list_workflows(continue_=token)
            names += [one.metadata.name for one in page.items]
            if not (token := page.metadata.continue_):
                break
        assert sorted(names) == ["first", "second", "third"]
        argo.app.cluster.advance("ml", "third", 2)
        log = urllib3.request("GET", f"{argo.url}/api/v1/workflows/ml/third/log").data
        assert json.loads(log.splitlines()[0])["result"]["content"] == "prepare has begun"
        streamed = urllib3.request("GET", f"{argo.url}/api/v1/workflow-events/ml").data
        kinds = [json.loads(line)["result"]["type"] for line in streamed.splitlines()]
        assert kinds == ["ADDED"] * 2 + ["MODIFIED"] * 2

    def test_a_schedule_is_put_with_the_version_that_was_read(self, argo: Server) -> None:
        service = WorkflowsService(host=argo.url, namespace="ml", verify_ssl=False)
        with_data = {**TEMPLATE, "arguments": {"parameters": [{"name": "epochs", "value": "3"}]}}
        cron = models.CronWorkflow.model_validate(
            manifest("nightly", "CronWorkflow", schedules=["0 3 * * *"], workflowSpec=with_data)
        )
        made = service.create_cron_workflow(models.CreateCronWorkflowRequest(cron_workflow=cron))
        request = models.UpdateCronWorkflowRequest(cron_workflow=cron)
        with pytest.raises(BadRequest, match="must be specified for an update"):
            service.update_cron_workflow("nightly", request)
        made.spec.schedules = ["0 4 * * *"]
        request = models.UpdateCronWorkflowRequest(cron_workflow=made)
        assert service.update_cron_workflow("nightly", request).spec.schedules == ["0 4 * * *"]
        with pytest.raises(AlreadyExists, match="has been modified"):
            service.update_cron_workflow("nightly", request)
        assert argo.app.cluster.of("workflows") == []
        workflow = argo.app.cluster.trigger("ml", "nightly")
        service.suspend_cron_workflow("nightly", models.CronWorkflowSuspendRequest())
        assert argo.app.cluster.trigger("ml", "nightly") is None
        service.delete_cron_workflow("nightly")
        assert [name for name, _ in argo.app.cluster.killed] == [workflow["metadata"]["name"]]


class TestKubernetes:
    @pytest.fixture
    def api(self, kubernetes: Server, tmp_path: Path) -> client.ApiClient:
        path = write_kubeconfig(tmp_path / "config", kubernetes.url, namespace="ml")
        return config.new_client_from_config(str(path))

    def test_the_official_client_keeps_custom_objects(
        self, kubernetes: Server, api: client.ApiClient
    ) -> None:
        objects = client.CustomObjectsApi(api)
        place = ("argoproj.io", "v1alpha1", "ml", "workflowtemplates")
        body = manifest("doc-type", **TEMPLATE)
        tried = objects.create_namespaced_custom_object(
            *place, body, dry_run="All", field_validation="Strict"
        )
        assert tried["metadata"]["name"] == "doc-type"
        assert kubernetes.app.cluster.of("workflowtemplates") == []
        objects.create_namespaced_custom_object(*place, body)
        wrong = manifest("wrong", **TEMPLATE, entrypiont="main")
        with pytest.raises(client.ApiException, match=r"unknown field .*entrypiont"):
            objects.create_namespaced_custom_object(*place, wrong, field_validation="Strict")
        patched = objects.patch_namespaced_custom_object(
            *place, "doc-type", {"metadata": {"labels": {"commit": "abc"}}}
        )
        assert patched["metadata"]["labels"] == {"project": "demo", "commit": "abc"}
        listed = objects.list_namespaced_custom_object(*place, label_selector="commit in (abc)")
        assert len(listed["items"]) == 1
        with pytest.raises(client.ApiException) as refused:
            objects.get_namespaced_custom_object(*place, "other")
        assert refused.value.status == 404
        objects.delete_namespaced_custom_object(*place, "doc-type")
        assert kubernetes.app.cluster.of("workflowtemplates") == []

    def test_what_preflight_asks(self, kubernetes: Server, api: client.ApiClient) -> None:
        kubernetes.app.add("secrets", "ml", "s3", data={})
        kubernetes.app.add("nodes", "", "gpu-1", status={"allocatable": {"nvidia.com/gpu": "2"}})
        kubernetes.app.denied.add(("create", "workflows"))
        core = client.CoreV1Api(api)
        assert core.read_namespaced_secret("s3", "ml").metadata.name == "s3"
        assert [node.metadata.name for node in core.list_node().items] == ["gpu-1"]
        review = client.V1SelfSubjectAccessReview(
            spec=client.V1SelfSubjectAccessReviewSpec(
                resource_attributes=client.V1ResourceAttributes(
                    group="argoproj.io", resource="workflows", verb="create", namespace="ml"
                )
            )
        )
        answer = client.AuthorizationV1Api(api).create_self_subject_access_review(review)
        assert answer.status.allowed is False
        assert client.VersionApi(api).get_code().git_version == "v1.34.1"

    def test_pods_and_logs_of_a_workflow(self, kubernetes: Server, api: client.ApiClient) -> None:
        arguments = {"parameters": [{"name": "data", "value": "x"}]}
        body = manifest("first", "Workflow", **{**TEMPLATE, "arguments": arguments})
        place = ("argoproj.io", "v1alpha1", "ml", "workflows")
        client.CustomObjectsApi(api).create_namespaced_custom_object(*place, body)
        kubernetes.app.script.logs["first/train"] = "epoch 1\nepoch 2\n"
        kubernetes.app.script.compress = True
        kubernetes.app.cluster.finish("ml", "first")
        core = client.CoreV1Api(api)
        selector = "workflows.argoproj.io/workflow=first"
        pods = core.list_namespaced_pod("ml", label_selector=selector).items
        assert [pod.status.phase for pod in pods] == ["Succeeded", "Succeeded"]
        logs = [core.read_namespaced_pod_log(pod.metadata.name, "ml") for pod in pods]
        assert "epoch 1\nepoch 2\n" in logs
        status = client.CustomObjectsApi(api).get_namespaced_custom_object(*place, "first")
        assert "compressedNodes" in status["status"] and "nodes" not in status["status"]

    def test_server_side_apply_removes_what_the_manager_gives_no_more(
        self, cluster: Cluster
    ) -> None:
        first = manifest("nightly", "CronWorkflow", schedules=["0 3 * * *"], suspend=False)
        cluster.apply("cronworkflows", "ml", "nightly", first, "mlc", force=False)
        cluster.all[("cronworkflows", "ml", "nightly")]["status"] = {"phase": "Active"}
        cluster.merge("cronworkflows", "ml", "nightly", {"spec": {"timezone": "UTC"}}, "hand")
        second = manifest("nightly", "CronWorkflow", schedules=["0 4 * * *"])
        one = cluster.apply("cronworkflows", "ml", "nightly", second, "mlc", force=False)
        assert one["spec"] == {"schedules": ["0 4 * * *"], "timezone": "UTC"}
        assert one["status"] == {"phase": "Active"}
        third = manifest("nightly", "CronWorkflow", schedules=["0 4 * * *"], timezone="CET")
        with pytest.raises(KubeError, match="conflict with"):
            cluster.apply("cronworkflows", "ml", "nightly", third, "mlc", force=False)
        assert (
            cluster.apply("cronworkflows", "ml", "nightly", third, "mlc", force=True)["spec"][
                "timezone"
            ]
            == "CET"
        )


EXPERIMENT = {"display_name": "IA-1742"}


def post(server: Server, body: Any = EXPERIMENT, **options: Any) -> urllib3.BaseHTTPResponse:
    url = f"{server.url}/apis/v2beta1/experiments"
    return urllib3.PoolManager(retries=False, **options).request("POST", url, json=body)


class TestFaults:
    @pytest.mark.parametrize(("kind", "made"), [("drop", 0), ("lose", 1)])
    def test_the_line_goes_dead(self, kfp: Server, kind: str, made: int) -> None:
        before = len(kfp.app.experiments)
        kfp.faults.add(kind, on="^POST")
        with pytest.raises(urllib3.exceptions.ProtocolError):
            post(kfp)
        assert len(kfp.app.experiments) - before == made
        assert post(kfp).status == (409 if made else 200)

    @pytest.mark.parametrize("kind", ["500", "502", "503", "504", "429", "413", "409", "403"])
    def test_a_status_comes_instead(self, kfp: Server, kind: str) -> None:
        kfp.faults.add(kind, on="experiments$", seconds=2)
        answer = post(kfp)
        assert answer.status == int(kind)
        assert answer.headers.get("Retry-After") == ("2" if kind == "429" else None)
        assert post(kfp).status == 200

    def test_the_body_is_not_what_it_should_be(self, kfp: Server) -> None:
        for kind in ("truncated", "html", "cut", "unknown-field"):
            kfp.faults.add(kind)
        with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
            post(kfp, {"display_name": "a"}).json()
        assert post(kfp).headers["Content-Type"].startswith("text/html")
        with pytest.raises(urllib3.exceptions.ProtocolError):
            post(kfp, {"display_name": "b"})
        assert "field_of_a_later_version" in post(kfp, {"display_name": "c"}).json()
        names = {one.display_name for one in kfp.app.experiments.values()}
        assert names == {"Default", "a", "b", "c"}

    @pytest.mark.usefixtures("contracts")
    def test_a_token_expires_and_the_next_one_is_in_its_file(self, tmp_path: Path) -> None:
        path = tmp_path / "token"
        with Server(Kfp(access=Access(token="first", token_file=path))) as server:

            def status() -> int:
                headers = {"Authorization": f"Bearer {path.read_text()}"}
                return post(server, headers=headers).status

            def stale() -> int:
                return post(server, headers={"Authorization": "Bearer first"}).status

            server.faults.add("expired")
            assert (stale(), stale(), status()) == (401, 401, 200)

    def test_a_seed_gives_the_same_faults_again(self, kfp: Server) -> None:
        drawn = []
        for _ in range(2):
            kfp.faults.happened.clear()
            kfp.faults.at_random(7, 0.5, KINDS)
            drawn.append([kfp.faults.draw(f"GET /{number}") for number in range(200)])
        assert drawn[0] == drawn[1]
        assert {fault.kind for fault in drawn[0] if fault} == set(KINDS)

    def test_what_breaks_the_contract_fails_the_test(self, kfp: Server) -> None:
        answer = post(kfp, {"display_name": "a", "labels": {"b": "c"}})
        assert answer.status == 500
        with pytest.raises(AssertionError, match="'labels' was unexpected"):
            kfp.check()
        urllib3.request("GET", f"{kfp.url}/apis/v2beta1/runs?page_size=many")
        with pytest.raises(AssertionError, match="`page_size` is no integer"):
            kfp.check()

    def test_an_invariant_is_watched_after_each_request(self, kfp: Server) -> None:
        def at_most_two(app: Kfp, *_: object) -> None:
            assert len(app.experiments) <= 2, "too many"

        kfp.watch(at_most_two)
        assert (post(kfp).status, post(kfp, {"display_name": "b"}).status) == (200, 200)
        with pytest.raises(AssertionError, match=r"after POST .*experiments: too many"):
            kfp.check()
        assert kfp.count("^POST .*/experiments$") == 2

    def test_two_that_create_one_thing_at_once(self, kfp: Server) -> None:
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(post(kfp).status)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200] + [409] * 7


class TestTransport:
    @pytest.mark.usefixtures("contracts")
    def test_tls_with_a_certificate_of_ones_own(self, tmp_path: Path) -> None:
        authority = make_authority(tmp_path)
        with Server(Kfp(), tls=authority.context(ask_client=True)) as server:
            with pytest.raises(urllib3.exceptions.SSLError):
                post(server)
            certificate, key = map(str, authority.client)
            ca = str(authority.ca)
            answer = post(server, ca_certs=ca, cert_file=certificate, key_file=key)
            assert answer.status == 200
        late = make_authority(tmp_path / "late", expired=True)
        with (
            Server(Kfp(), tls=late.context()) as server,
            pytest.raises(urllib3.exceptions.SSLError, match="expired"),
        ):
            post(server, ca_certs=str(late.ca))

    def test_ticket_systems_give_titles_or_hang(self) -> None:
        tickets = Tickets({"IA-1742": "DOC TYPE", "17": "DOC TYPE"})
        with Server(tickets) as server:
            jira = urllib3.request("GET", f"{server.url}/rest/api/2/issue/IA-1742").json()
            assert jira["fields"]["summary"] == "DOC TYPE"
            for path in ("/api/v4/projects/group%2Fml/issues/17", "/repos/group/ml/issues/17"):
                assert urllib3.request("GET", server.url + path).json()["title"] == "DOC TYPE"
            assert urllib3.request("GET", f"{server.url}/repos/group/ml/issues/18").status == 404
            tickets.seconds = 30
            with pytest.raises(urllib3.exceptions.MaxRetryError):
                url = f"{server.url}/rest/api/2/issue/IA-1742"
                urllib3.request("GET", url, timeout=0.2, retries=0)

    def test_a_server_runs_as_a_process(self) -> None:
        command = [sys.executable, "-m", "cluster.servers", "kfp"]
        folder = Path(__file__).parent.parent
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
            try:
                said = json.loads(process.stdout.readline())
                answer = urllib3.request("GET", said["url"] + "/apis/v2beta1/healthz")
                assert answer.json()["tag_name"] == "2.17.0"
            finally:
                process.kill()
