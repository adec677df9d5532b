"""Artifacts from outside: where Argo fetches them, at each task that takes one.

No pod of its own is needed: the location stands in the task's arguments, taken apart from the URI
in the workflow's parameter. The scheme decides what kind of location it is and is that of the
default; a URI of another scheme makes the fetch fail with the URI in its message. An S3 location
always names its endpoint: Argo completes one without it from the cluster's own artifact
repository, bucket included (argo-workflows v4.1.2: workflow_types.go, ArtifactLocation.Relocate).
"""

from __future__ import annotations

import re
from typing import Literal

from compiler.ir import PipelineInput
from compiler.settings import ObjectStore, SecretKey, TargetSettings
from compiler.targets.argo.plan import Data
from compiler.targets.argo.tags import expression, workflow_parameter

Scheme = Literal["s3", "gs", "http"]

_SCHEMES: tuple[tuple[Scheme, str], ...] = (
    ("s3", "^s3://[^/]+/."),
    ("gs", "^gs://[^/]+/."),
    ("http", "^https?://."),
)
_AWS = "s3.amazonaws.com"


def scheme(given: PipelineInput, settings: TargetSettings) -> Scheme | None:
    """The scheme of an input's URIs, None for one that Argo can't fetch from.

    Without a default, or where it is a path on this machine: that of the only store configured,
    else `s3`.
    """
    if given.default is None or "://" not in given.default:
        return "gs" if settings.gcs and not settings.s3 else "s3"
    return next((name for name, form in _SCHEMES if re.match(form, given.default)), None)


def location(given: PipelineInput, settings: TargetSettings) -> Data:
    """The fields of an artifact argument that say where it is; its scheme must be known."""
    uri = workflow_parameter(given.name)
    name = scheme(given, settings)
    assert name is not None
    fits = f"{uri} matches '{dict(_SCHEMES)[name]}'"
    if name == "http":
        return {"http": {"url": expression(f"{fits} ? {uri} : 'http://not-an-http-uri.invalid/'")}}
    wrong = f"not-{'an-s3' if name == 's3' else 'a-gs'}-uri"
    bucket = expression(f"{fits} ? split({uri},'/')[2] : '{wrong}'")
    key = f"join(split({uri},'/')[3:],'/')"
    if name == "gs":
        key = expression(f"{fits} ? {key} : '{wrong}: ' + {uri}")
        return {"gcs": {"bucket": bucket, "key": key, **_gcs(settings.gcs or ObjectStore())}}
    # A console's empty object `folder/` would be fetched in place of what is in the folder.
    key = expression(f"{fits} ? sprig.trimSuffix('/',{key}) : '{wrong}: ' + {uri}")
    return {"s3": {"bucket": bucket, "key": key, **_s3(settings.s3 or ObjectStore())}}


def store_of(settings: TargetSettings) -> Literal["s3", "gcs"] | None:
    """The kind of the store that Argo keeps artifacts in, as far as the settings tell: that of
    the only store configured."""
    if settings.s3 and settings.gcs:
        return None
    return "s3" if settings.s3 else "gcs" if settings.gcs else None


def _s3(store: ObjectStore) -> Data:
    data: Data = {"endpoint": store.endpoint or _AWS}
    if store.region:
        data["region"] = store.region
    if store.insecure:
        data["insecure"] = True
    if store.access_key and store.secret_key:
        data["accessKeySecret"] = _secret(store.access_key)
        data["secretKeySecret"] = _secret(store.secret_key)
    else:
        data["useSDKCreds"] = True
    return data


def _gcs(store: ObjectStore) -> Data:
    key = store.service_account_key
    return {"serviceAccountKeySecret": _secret(key)} if key else {}


def _secret(key: SecretKey) -> Data:
    return {"name": key.name, "key": key.key}
