"""Argo Workflows, by its server or straight through Kubernetes.

Both roads lead to the same objects: `road` is what they have in common, `server` and `direct` are
the two, `objects` builds what is created, `reading` turns objects into records, `nodes` finds
the steps of a run, and `engine` is what the commands ask.
"""

from __future__ import annotations

from compiler.cluster.argo.engine import Argo, connect

__all__ = ["Argo", "connect"]
