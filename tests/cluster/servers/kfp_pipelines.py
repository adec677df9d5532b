"""Pipelines and versions on the KFP server (pipeline_server.go, pipeline_upload_server.go)."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from email import message_from_bytes
from typing import TYPE_CHECKING

from .kfp_errors import exists, internal, invalid, missing, too_long, upload_refusal
from .kfp_records import Json, Pipeline, Version
from .kfp_specs import read_documents
from .wire import Refused, Request

if TYPE_CHECKING:
    from .kfp import Kfp

LARGEST_FILE = 32 << 20


def upload_pipeline(kfp: Kfp, request: Request) -> Json:
    """A pipeline and its first version, of the same name."""
    filename, spec = _uploaded(request, "Failed to read a pipeline spec file")
    query = request.query
    namespace = kfp.namespace(query.get("namespace", ""))
    if kfp.multi_user and not kfp.access.may_use(namespace):
        raise upload_refusal(400, "Failed to create a pipeline")
    name = query.get("name") or query.get("display_name") or filename
    if len(name) > 128:
        raise too_long("Pipeline.Name", 128)
    tags = _uploaded_tags(query.get("tags", ""))
    if _named(kfp, name, namespace) is not None:
        raise upload_refusal(409, "Failed to create a pipeline and a pipeline version")
    display, description = query.get("display_name") or name, query.get("description", "")
    pipeline = Pipeline(kfp.new_id(), name, display, description, namespace, kfp.now(), tags)
    kfp.pipelines[pipeline.id] = pipeline
    _add_version(kfp, pipeline, name, display, description, spec, {})
    return pipeline.show()


def upload_version(kfp: Kfp, request: Request) -> Json:
    failed = "Failed to create a pipeline version"
    filename, spec = _uploaded(request, failed)
    query = request.query
    pipeline = kfp.pipelines.get(query.get("pipelineid", ""))
    if pipeline is None or (kfp.multi_user and not kfp.access.may_use(pipeline.namespace)):
        raise upload_refusal(400, failed)
    name = query.get("name") or query.get("display_name") or filename
    if len(name) > 127:
        raise too_long("PipelineVersion.Name", 127)
    tags = _uploaded_tags(query.get("tags", ""))
    if any((v.pipeline_id, v.name) == (pipeline.id, name) for v in kfp.versions.values()):
        raise upload_refusal(409, failed)
    display = query.get("display_name") or name
    return _add_version(
        kfp, pipeline, name, display, query.get("description", ""), spec, tags
    ).show()


def _add_version(
    kfp: Kfp,
    pipeline: Pipeline,
    name: str,
    display: str,
    description: str,
    spec: Json,
    tags: dict[str, str],
) -> Version:
    version = Version(kfp.new_id(), pipeline.id, name, display, description, kfp.now(), spec, tags)
    kfp.versions[version.id] = version
    return version


def create_pipeline(kfp: Kfp, request: Request) -> Json:
    """A pipeline without versions."""
    body = request.json()
    name = body.get("name") or body.get("display_name") or ""
    if not name:
        raise invalid("name is required")
    if len(name) > 128:
        raise internal(
            "Failed to convert API pipeline to model pipeline",
            "Invalid input error: Pipeline.Name length cannot exceed 128",
        )
    namespace = kfp.namespace(body.get("namespace", ""))
    kfp.allow(namespace)
    _check_tags(body.get("tags", {}))
    if _named(kfp, name, namespace) is not None:
        raise exists(
            f"Failed to create a new pipeline. The name {name} already exists. Please specify a "
            "new name"
        )
    display = body.get("display_name") or name
    pipeline = Pipeline(
        kfp.new_id(),
        name,
        display,
        body.get("description", ""),
        namespace,
        kfp.now(),
        body.get("tags", {}),
    )
    kfp.pipelines[pipeline.id] = pipeline
    return pipeline.show()


def get_pipeline(kfp: Kfp, _: Request, pipeline_id: str) -> Json:
    return _pipeline(kfp, pipeline_id).show()


def get_by_name(kfp: Kfp, request: Request, name: str) -> Json:
    namespace = kfp.listed_namespace("pipelines", request.query)
    found = _named(kfp, name, namespace)
    if found is None:
        raise missing("Namespace/Pipeline", f"{namespace}/{name}")
    return found.show()


def list_pipelines(kfp: Kfp, request: Request) -> Json:
    namespace = kfp.listed_namespace("pipelines", request.query)
    mine = [
        one
        for one in kfp.pipelines.values()
        if not (namespace or kfp.multi_user) or one.namespace == namespace
    ]
    return kfp.page("pipelines", mine, request)


def update_pipeline(kfp: Kfp, request: Request, pipeline_id: str) -> Json:
    """Only the display name and the tags can change; tags that are given replace all."""
    pipeline = _pipeline(kfp, pipeline_id)
    _update(pipeline, request.json())
    return pipeline.show()


def delete_pipeline(kfp: Kfp, request: Request, pipeline_id: str) -> Json:
    _pipeline(kfp, pipeline_id)
    versions = [one.id for one in kfp.versions.values() if one.pipeline_id == pipeline_id]
    if versions and request.query.get("cascade", "").lower() not in ("true", "1"):
        raise invalid(
            f"Failed to delete pipeline with id {pipeline_id} as it has existing pipeline versions "
            f"(e.g. {versions[-1]}). Set cascade=true to delete all versions"
        )
    for version in versions:
        del kfp.versions[version]
    del kfp.pipelines[pipeline_id]
    return {}


def create_version(kfp: Kfp, _: Request, pipeline_id: str) -> Json:
    """Upstream fetches the spec from `package_url`; here nothing is fetched."""
    _pipeline(kfp, pipeline_id)
    raise invalid("Failed to create a pipeline version due to missing pipeline URL")


def get_version(kfp: Kfp, _: Request, pipeline_id: str, version_id: str) -> Json:
    return _version(kfp, pipeline_id, version_id).show()


def list_versions(kfp: Kfp, request: Request, pipeline_id: str) -> Json:
    _pipeline(kfp, pipeline_id)
    mine = [one for one in kfp.versions.values() if one.pipeline_id == pipeline_id]
    return kfp.page("pipeline_versions", mine, request)


def update_version(kfp: Kfp, request: Request, pipeline_id: str, version_id: str) -> Json:
    version = _version(kfp, pipeline_id, version_id)
    _update(version, request.json())
    return version.show()


def delete_version(kfp: Kfp, _: Request, pipeline_id: str, version_id: str) -> Json:
    del kfp.versions[_version(kfp, pipeline_id, version_id).id]
    return {}


def _pipeline(kfp: Kfp, pipeline_id: str) -> Pipeline:
    found = kfp.pipelines.get(pipeline_id)
    if found is None:
        raise missing("Pipeline", pipeline_id)
    kfp.allow(found.namespace)
    return found


def _version(kfp: Kfp, pipeline_id: str, version_id: str) -> Version:
    found = kfp.versions.get(version_id)
    if found is None or found.pipeline_id != pipeline_id:
        raise missing("PipelineVersion", version_id)
    _pipeline(kfp, pipeline_id)
    return found


def _named(kfp: Kfp, name: str, namespace: str) -> Pipeline | None:
    same = [one for one in kfp.pipelines.values() if (one.name, one.namespace) == (name, namespace)]
    return same[0] if same else None


def _update(one: Pipeline | Version, body: Json) -> None:
    if "tags" in body:
        _check_tags(body["tags"])
        one.tags = body["tags"]
    one.display_name = body.get("display_name") or one.display_name


def _check_tags(tags: dict[str, str]) -> None:
    """model/pipeline_tags.go"""
    if len(tags) > 20:
        raise invalid(f"number of tags ({len(tags)}) exceeds maximum of 20 per entity")
    for key, value in tags.items():
        if not key:
            raise invalid("tag key cannot be empty")
        if "." in key:
            raise invalid(f"tag key \"{key}\" must not contain '.' character")
        if len(key) > 63:
            raise invalid(f'tag key "{key}" exceeds maximum length of 63 characters')
        if len(value) > 63:
            raise invalid(
                f'tag value "{value}" for key "{key}" exceeds maximum length of 63 characters'
            )


def _uploaded_tags(text: str) -> dict[str, str]:
    if not text:
        return {}
    try:
        tags = json.loads(text)
    except ValueError:
        tags = None
    if not isinstance(tags, dict) or not all(isinstance(one, str) for one in tags.values()):
        raise upload_refusal(
            400,
            "Failed to parse tags query parameter. Expected JSON object with string keys and "
            "values",
        )
    try:
        _check_tags(tags)
    except Refused as refused:
        raise upload_refusal(400, refused.answer.body["details"][0]["message"]) from None
    return tags


def _uploaded(request: Request, failed: str) -> tuple[str, Json]:
    """The name and the spec of the file `uploadfile` in a multipart body."""
    kind = request.headers.get("content-type", "").encode()
    message = message_from_bytes(b"Content-Type: " + kind + b"\r\n\r\n" + request.body)
    parts = message.get_payload() if message.is_multipart() else []
    for part in parts:
        if part.get_param("name", header="content-disposition") != "uploadfile":  # type: ignore[union-attr]
            continue
        content, filename = part.get_payload(decode=True), part.get_filename() or ""  # type: ignore[union-attr]
        try:
            spec = read_documents(_unpacked(filename, content, failed))  # type: ignore[arg-type]
        except Refused as refused:
            body = refused.answer.body
            message = body.get("error_message") or body["details"][0]["message"]
            raise upload_refusal(400, message) from None
        return filename, spec
    raise upload_refusal(400, failed)


def _unpacked(filename: str, content: bytes, failed: str) -> bytes:
    if len(content) > LARGEST_FILE:
        raise upload_refusal(400, failed)
    if filename.endswith((".yaml", ".yml", ".json")):
        return content
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            return archive.read("pipeline.yaml" if "pipeline.yaml" in names else names[0])
    if content[:2] == b"\x1f\x8b":
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            members = archive.getmembers()
            member = next((one for one in members if one.name == "pipeline.yaml"), members[0])
            file = archive.extractfile(member)
            return file.read() if file else b""
    raise upload_refusal(400, failed)


ROUTES = (
    ("POST", "/pipelines/upload", upload_pipeline),
    ("POST", "/pipelines/upload_version", upload_version),
    ("GET", "/pipelines", list_pipelines),
    ("POST", "/pipelines", create_pipeline),
    ("GET", "/pipelines/names/{}", get_by_name),
    ("GET", "/pipelines/{}", get_pipeline),
    ("PATCH", "/pipelines/{}", update_pipeline),
    ("DELETE", "/pipelines/{}", delete_pipeline),
    ("GET", "/pipelines/{}/versions", list_versions),
    ("POST", "/pipelines/{}/versions", create_version),
    ("GET", "/pipelines/{}/versions/{}", get_version),
    ("PATCH", "/pipelines/{}/versions/{}", update_version),
    ("DELETE", "/pipelines/{}/versions/{}", delete_version),
)
