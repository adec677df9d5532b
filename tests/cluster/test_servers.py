"""The engines on loopback, used by the clients that people use for the real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kfp_server_api
import pytest
import yaml
from cluster.servers.wire import Server
from kfp import Client


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
