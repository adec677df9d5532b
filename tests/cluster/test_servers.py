"""The engines on loopback, used by the clients that people use for the real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kfp_server_api
import pytest
import yaml
from cluster.servers.kubernetes import write_kubeconfig
from cluster.servers.objects import KubeError
from cluster.servers.wire import Server
from cluster.servers.workflows import Cluster
from hera.exceptions import AlreadyExists, BadRequest
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
