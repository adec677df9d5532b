"""The plan as KFP's platform document: what Kubernetes is told, by executor.

Field names are those of kubernetes_platform/proto/kubernetes_executor_config.proto. A document that
does not parse is dropped without a word by the API server, so tests read it strictly. Where a name
stands twice, the older field serves servers before 2.5; the SDK writes both too.
"""

from __future__ import annotations

from compiler.ir import Pairs, Security, Toleration
from compiler.targets.kfp.executorspec import JsonObject
from compiler.targets.kfp.pipelinespec import input_source, label
from compiler.targets.kfp.plan import Constant, EmptyDir, Mount, Plan, Platform, SecretVariable
from compiler.values import JsonValue


def platform_spec(plan: Plan) -> JsonObject | None:
    """The platform document, or None where there is nothing to say."""
    executors: JsonObject = {
        label(task): config
        for task in plan.root.containers()
        if (config := _executor(task.platform))
    }
    limits = _given({"activeDeadlineSeconds": plan.timeout, "resourceTtlOnCompletion": plan.ttl})
    kubernetes = _given(
        {
            "deploymentSpec": {"executors": executors} if executors else None,
            "pipelineConfig": limits or None,
        }
    )
    return {"platforms": {"kubernetes": kubernetes}} if kubernetes else None


def _executor(platform: Platform) -> JsonObject:
    labels, annotations = _mapping(platform.labels), _mapping(platform.annotations)
    metadata = _given({"labels": labels or None, "annotations": annotations or None})
    selector = _mapping(platform.node_selector)
    return _given(
        {
            "secretAsEnv": [_secret_variable(s) for s in platform.secrets] or None,
            "secretAsVolume": [_secret_mount(m) for m in platform.secret_mounts] or None,
            "configMapAsVolume": [_config_mount(m) for m in platform.config_mounts] or None,
            "pvcMount": [_claim(m) for m in platform.claims] or None,
            "emptyDirMounts": [_empty_dir(f) for f in platform.empty_dirs] or None,
            "nodeSelector": {"labels": selector} if selector else None,
            "tolerations": [_toleration(t) for t in platform.tolerations] or None,
            "podMetadata": metadata or None,
            "imagePullPolicy": platform.pull_policy,
            "imagePullSecret": [_pull_secret(name) for name in platform.pull_secrets] or None,
            "activeDeadlineSeconds": _int64(platform.timeout),
            "securityContext": _security(platform.security) or None,
        }
    )


def _secret_variable(secret: SecretVariable) -> JsonObject:
    return {
        "secretName": secret.secret,
        "secretNameParameter": _name(secret.secret),
        "keyToEnv": [{"secretKey": secret.key, "envVar": secret.variable}],
        "optional": False,
    }


def _secret_mount(mount: Mount) -> JsonObject:
    return {
        "secretName": mount.source,
        "secretNameParameter": _name(mount.source),
        "mountPath": mount.path,
        "optional": False,
    }


def _config_mount(mount: Mount) -> JsonObject:
    return {
        "configMapName": mount.source,
        "configMapNameParameter": _name(mount.source),
        "mountPath": mount.path,
        "optional": False,
    }


def _claim(mount: Mount) -> JsonObject:
    return _given(
        {
            "constant": mount.source,
            "pvcNameParameter": _name(mount.source),
            "mountPath": mount.path,
            "subPath": mount.sub_path,
        }
    )


def _empty_dir(folder: EmptyDir) -> JsonObject:
    return _given(
        {
            "volumeName": folder.name,
            "mountPath": folder.path,
            "medium": "Memory" if folder.in_memory else None,
            "sizeLimit": folder.size,
        }
    )


def _toleration(toleration: Toleration) -> JsonObject:
    return _given(
        {
            "key": toleration.key,
            "operator": toleration.operator,
            "value": toleration.value,
            "effect": toleration.effect,
            "tolerationSeconds": _int64(toleration.seconds),
        }
    )


def _pull_secret(name: str) -> JsonObject:
    return {"secretName": name, "secretNameParameter": _name(name)}


def _security(security: Security | None) -> JsonObject:
    if security is None:
        return {}
    return _given(
        {
            "runAsUser": _int64(security.run_as_user),
            "runAsGroup": _int64(security.run_as_group),
            "runAsNonRoot": security.run_as_non_root,
        }
    )


def _mapping(pairs: Pairs) -> JsonObject:
    return {**dict(pairs)}


def _name(name: str) -> JsonValue:
    return input_source(Constant(name))


def _int64(number: int | None) -> str | None:
    """A 64-bit integer in protobuf's JSON form, where it is text."""
    return None if number is None else str(number)


def _given(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}
