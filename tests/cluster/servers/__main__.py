"""`python -m cluster.servers kfp|argo|kubernetes|tickets`: one server as a process.

Prints `{"url": …, "pid": …}` on a line of its own and serves until it is ended. Argo and
Kubernetes share their objects only within one process, so `argo` serves both and prints both.
"""

from __future__ import annotations

import json
import os
import sys
import threading

from .argo import Argo
from .kfp import Kfp
from .kubernetes import Kubernetes
from .tickets import Tickets
from .wire import Server
from .workflows import Cluster


def main(name: str) -> None:
    said: dict[str, object] = {"pid": os.getpid()}
    if name == "kfp":
        said["url"] = Server(Kfp()).url
    elif name == "tickets":
        said["url"] = Server(Tickets({"IA-1742": "DOC TYPE", "17": "DOC TYPE"})).url
    else:
        cluster = Cluster()
        said["url"] = Server(Argo(cluster)).url
        said["kubernetes"] = Server(Kubernetes(cluster)).url
    print(json.dumps(said), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
