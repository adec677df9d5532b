"""What other tools call things of the language, and what to write for what has no word here."""

from __future__ import annotations

import re
from collections.abc import Collection

from msgspec import Struct

# Types, then keys whose values mean the same.
TYPES = {
    **{"int": "integer", "long": "integer", "float": "number", "double": "number"},
    **{"str": "string", "text": "string", "bool": "boolean", "list": "array"},
    **{"dict": "object", "map": "object", "mapping": "object"},
}
KEYS = {
    **{"retries": "retry", "depends_on": "needs", "dependson": "needs", "dependencies": "needs"},
    **{"parameters": "params", "environment": "env", "arguments": "args", "gpus": "gpu"},
    **{"cpus": "cpu", "mem": "memory", "ram": "memory", "desc": "description", "cmd": "command"},
    **{"for_each": "foreach", "entrypoint": "command", "working_dir": "workdir"},
    **{"nodeselector": "node_selector", "serviceaccount": "service_account"},
    **{"serviceaccountname": "service_account", "priorityclassname": "priority_class"},
    **{"imagepullpolicy": "pull_policy", "image_pull_policy": "pull_policy"},
    **{"readonly": "read_only", "subpath": "sub_path", "mountpath": "mount", "mount_path": "mount"},
    **{"min": "minimum", "max": "maximum", "choices": "enum", "regex": "pattern"},
    **{"env_vars": "env", "variables": "env", "max_retries": "retry", "hyperparameters": "params"},
    **{"docker_image": "image", "container_image": "image", "run": "script", "shm_size": "shm"},
    **{"ephemeral_storage": "disk", "storage": "disk", "nvidia.com/gpu": "gpu"},
    **{"pvc": "claim", "claim_name": "claim", "claimname": "claim", "configmap": "config_map"},
    **{"persistent_volume_claim": "claim", "persistentvolumeclaim": "claim"},
    **{"value": "default", "default_value": "default", "help": "description"},
    **{"after": "needs", "depends": "needs", "requires": "needs", "vars": "env"},
    **{
        "with": "inputs",
        "limit": "max",
        "tz": "timezone",
        "max_parallel": "parallel",
        "maxparallel": "parallel",
    },
    **{"cwd": "workdir", "working_directory": "workdir", "hyperparams": "params"},
}


class Instead(Struct, frozen=True):
    """What to write for a key of another tool: a key of the language, and how."""

    key: str
    hint: str
    unit: str = ""  # of a plain number

    def hint_for(self, value: str) -> str:
        """The hint, with what is written there in it where that can be taken over: `value` is the
        text of a scalar, or the source of anything else."""
        if self.unit and value.isascii() and value.isdigit():
            return f"write the unit: `{self.key}: {value}{self.unit}`"
        if self.hint == _CONDITION and value:
            return condition(value) or self.hint
        for pattern, written in _TAKEN.get(self.key, ()):
            if found := re.search(pattern, value):
                return written.format(*found.groups())
        return self.hint


# What of a value can be taken over for a key, and how it is written then. Patterns are compiled
# only where something is wrong.
_TAKEN = {
    "schedules": (
        (
            r"""(?:\bcron["']?: *|\A)["']?((?:[^\s"']+ +){4}[^\s"'\]}]+)""",
            'write `schedules: {{main: {{cron: "{}"}}}}`',
        ),
    ),
    "limits": ((r"\A([0-9]{1,9})\Z", "write `limits: {{parallel: {}}}`"),),
    "retry": ((r"limit: *[\"']?([0-9]{1,9})\b", "write `retry: {{max: {}}}`"),),
    "overlap": (
        (r"\AForbid\Z", "write `overlap: forbid`"),
        (r"\AAllow\Z", "write `overlap: allow`"),
    ),
}
_CONDITION = "write `when: ${{ … }}`, one condition"
_TIMEOUT = "here it is called `timeout`, and its number has a unit: `s`, `m`, `h` or `d`"
# By the keys as others write them, without case and with `_`. The key of the language tells also
# where each of these counts.
_INSTEAD = {
    **dict.fromkeys(
        ("host_path", "hostpath"),
        Instead(
            "claim",
            "a folder of one node is not on the others: mount a `claim`, or `empty: true` for what "
            "only the step needs; for runs here `[local.volumes]` names a folder",
        ),
    ),
    **dict.fromkeys(
        ("empty_dir", "emptydir"), Instead("empty", "write `empty: true`, or `empty: {size: 10Gi}`")
    ),
    "nfs": Instead("claim", "write `claim: NAME`, of a PersistentVolumeClaim for that share"),
    **dict.fromkeys(
        ("requests", "limits"),
        Instead("memory", "each amount has both sides: `memory: {request: 4Gi, limit: 8Gi}`"),
    ),
    **dict.fromkeys(("if", "condition", "only_if"), Instead("when", _CONDITION)),
    **dict.fromkeys(
        (
            *("matrix", "strategy", "loop", "parallel_for"),
            *("with_items", "with_param", "with_sequence", "withitems", "withparam"),
            "withsequence",
        ),
        Instead("foreach", "write `foreach: {NAME: [1, 2]}`, and `${{ each.NAME }}` in the step"),
    ),
    **dict.fromkeys(
        ("tasks", "jobs", "stages", "templates", "dag"),
        Instead("steps", "write `steps`, names to steps; their order is that of data and `needs`"),
    ),
    **dict.fromkeys(
        ("timeout_seconds", "timeoutseconds", "active_deadline_seconds", "activedeadlineseconds"),
        Instead("timeout", _TIMEOUT, "s"),
    ),
    "timeout_minutes": Instead("timeout", _TIMEOUT, "m"),
    **dict.fromkeys(
        ("container", "containers"),
        Instead("command", "its keys stand right in the step: `image`, `command`, `args`, `env`"),
    ),
    **dict.fromkeys(
        ("on_exit", "onexit", "exit_handler"),
        Instead("finally", "write `finally`, names to steps: they run however the others ended"),
    ),
    **dict.fromkeys(
        ("retry_strategy", "retrystrategy", "retry_policy", "retrypolicy"),
        Instead("retry", "write `retry`, a count, or `{max, backoff, factor, max_backoff}`"),
    ),
    "on": Instead("schedules", "write `schedules`, names to when: `{main: {cron: …}}`"),
    "metadata": Instead("name", "its keys stand at the top: `name`, `labels`, `description`"),
    "spec": Instead("steps", "its keys stand at the top, as those of this file do"),
    "parallelism": Instead("limits", "write `limits: {parallel: 8}`, steps that run at once"),
    **dict.fromkeys(
        ("concurrency_policy", "concurrencypolicy"),
        Instead("overlap", "write `overlap: forbid`, the default, or `overlap: allow`"),
    ),
    "suspend": Instead("enabled", "write `enabled: false` for a schedule that starts nothing"),
    "required": Instead("default", "take it out: what has no `default` has to be given"),
    **dict.fromkeys(
        ("continue_on_error", "continueon", "continue_on", "allow_failure", "ignore_errors"),
        Instead("when", "take it out: what shall run though a step failed stands in `finally`"),
    ),
    "secrets": Instead("env", "write `env: {TOKEN: '${{ secrets.NAME.KEY }}'}`"),
    **dict.fromkeys(
        ("schedule", "cron"),
        Instead("schedules", 'write `schedules: {nightly: {cron: "0 3 * * *"}}`'),
    ),
}


_HOWEVER = "take it out; steps of `finally` run however the others ended"
# What stands for functions that are conditions elsewhere, such as `failure()`.
FUNCTIONS = {
    "always": _HOWEVER,
    "cancelled": _HOWEVER,
    "success": "take it out; steps run only when what they need succeeded, and in `finally` there "
    "is `when: ${{ run.status == 'succeeded' }}`",
    "failure": "put the step in `finally`, with `when: ${{ run.status == 'failed' }}`",
}
_OF_NAMES = r"[!( ]*(?:params|inputs|steps|each|run)\."
_CALL = r"!?\s*([a-z]+)\s*\(\s*\)"


def condition(text: str) -> str:
    """What to write for a condition that is no expression yet; "" for what is none at all."""
    called = re.fullmatch(_CALL, text.strip())
    if called and called[1] in FUNCTIONS:
        return FUNCTIONS[called[1]]
    if "${{" in text:
        return f"write `when: {text}`" if "\n" not in text else ""
    if "\n" in text or not re.match(_OF_NAMES, text):
        return ""
    return f"write `when: ${{{{ {text} }}}}`"


def instead(key: str, known: Collection[str]) -> Instead | None:
    """What to write for an unknown key, where the language's key for it is `known`."""
    found = _INSTEAD.get(key.casefold().replace("-", "_"))
    return found if found is not None and found.key in known and key not in known else None
