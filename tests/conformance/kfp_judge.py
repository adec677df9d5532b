"""KFP's messages as its API server reads them: by Go's protojson, which drops and forgives nothing.

The messages are those of kfp-pipeline-spec and kfp-kubernetes, which upstream makes of the same
files as its server's.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from go_programs import running
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

Judge = Callable[[str], list[str]]


@contextmanager
def judging() -> Iterator[Judge]:
    """Says what is wrong with the text of a file of pipeline and platform."""
    with running("kfpreader") as (asked, told):
        asked.write(b64encode(_messages()).decode() + "\n")

        def judge(text: str) -> list[str]:
            asked.write(json.dumps({"text": text}) + "\n")
            asked.flush()
            wrong: list[str] = json.loads(told.readline())["wrong"]
            return wrong

        yield judge


def _messages() -> bytes:
    found = FileDescriptorSet()
    seen: set[str] = set()

    def add(file: Any) -> None:
        if file.name not in seen:
            seen.add(file.name)
            for needed in file.dependencies:
                add(needed)
            file.CopyToProto(found.file.add())

    for module in (pipeline_spec_pb2, kubernetes_executor_config_pb2):
        add(module.DESCRIPTOR)
    return found.SerializeToString()
