"""Kubeflow Pipelines: its generated client asks, by our transport; answers are plain data.

`client` asks, `specs` knows compiled specs, `reading` turns answers into records, and `engine` is
what the commands ask.
"""

from __future__ import annotations

from compiler.cluster.kfp.engine import Kfp, connect

__all__ = ["Kfp", "connect"]
