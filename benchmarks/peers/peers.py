"""The tools that mlc is compared with: what installs them, and how each is asked about a file."""

from __future__ import annotations

from typing import NamedTuple


class Peer(NamedTuple):
    """`file` is the one of sound/ that it reads, `format` its key in mistakes.yaml.

    `command` runs in a folder that holds the file; `{bin}` is the folder of its environment's
    programs, `{here}` that of this file. `code` is what its stable codes look like, `path` how it
    names a place by keys; lines that match `noise` say nothing about the file.
    """

    name: str
    format: str
    file: str
    requirement: str
    command: str
    python: tuple[int, int] = (3, 11)
    code: str = ""
    path: str = ""
    noise: str = ""
    tail: bool = False


MLC = Peer(
    "mlc",
    "mlc",
    "mlc.yaml",
    "",
    "{bin}/mlc validate mlc.yaml",
    code=r"\bMLC\d{3}\b",
)
PEERS = (
    MLC,
    Peer(
        "AzureML",
        "azureml",
        "azureml.yaml",
        "azure-ai-ml==1.35.2",
        "{bin}/python {here}/azureml_check.py azureml.yaml",
        path=r'"path": "\w|\{\'jobs\'',
        noise=r"experimental class|^\s*$",
    ),
    Peer(
        "Valohai",
        "valohai",
        "valohai.yaml",
        "valohai-cli==0.37.0",
        "{bin}/vh lint valohai.yaml",
        path=r"\(\d+\.step",
        # Its last line has another face each time.
        noise=r"Success! .* No errors|There were \d+ total errors|^\s*$",
    ),
    Peer(
        "Polyaxon",
        "polyaxon",
        "polyaxon.yaml",
        "polyaxon==2.18.0",
        "{bin}/polyaxon check -f polyaxon.yaml",
        code=r"\[type=\w+",
        path=r"(?m)^(?:run\.\w|inputs\.\d)",
        noise=r"`version` is no longer required|but ignored by|^validation\.$",
    ),
    Peer(
        "DVC",
        "dvc",
        "dvc.yaml",
        "dvc==3.67.1",
        "{bin}/dvc init --no-scm --quiet && touch data.csv && {bin}/dvc repro --dry",
        path="in stages ->",
        noise=r"analytics|^\s*$",
    ),
    Peer(
        "tugboat",
        "argo",
        "argo.yaml",
        "argo-tugboat==0.6.3",
        "{bin}/tugboat --no-color argo.yaml",
        python=(3, 12),
        code=r"\b(?:[A-Z]{1,4}\d{3})\b",
        path=r"at \.spec",
    ),
    Peer(
        "Argo",
        "argo",
        "argo.yaml",
        "go",
        "{bin}/argo40",
        path=r"templates[.\[]",
    ),
    Peer(
        "KFP SDK",
        "kfp",
        "pipeline.py",
        "kfp==2.17.0",
        "{bin}/python pipeline.py",
        noise=r"FutureWarning|warnings\.warn",
        tail=True,
    ),
    Peer(
        "kfp-doctor",
        "kfp_ir",
        "kfp_ir.yaml",
        "kfp-doctor==1.0.0",
        "{bin}/kfp-doctor check kfp_ir.yaml",
        code=r"\b[A-Z]+_[A-Z_]+\b",
    ),
)
