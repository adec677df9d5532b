"""Wrong documents are caught here, whether upstream would refuse them or get them wrong."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import ParseError
from kfp import components
from kfp_mutations import MUTATIONS, SPEC, Mutation, mutated
from kfp_rules import broken
from kfp_spec import dangling, read
from local import loaded, pipeline_of

from compiler.settings import TargetSettings
from compiler.targets import kfp


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("judged")
    (folder / "mlc.toml").touch()
    (folder / "spec.yaml").write_text(SPEC)
    return kfp.emit(pipeline_of(loaded(folder / "spec.yaml")), TargetSettings())


def test_nothing_is_wrong_with_what_we_write(document: str) -> None:
    written = read(document)
    assert not dangling(written)
    assert not broken(written)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_caught(mutation: Mutation, document: str) -> None:
    text = mutated(document, mutation)
    assert _is_refused_by_the_sdk(text) is mutation.sdk
    if mutation.strict:
        with pytest.raises(ParseError):
            read(text)
        return
    written = read(text)
    said = dangling(written) or broken(written)
    assert any(mutation.ours in sentence for sentence in said), said


def _is_refused_by_the_sdk(text: str) -> bool:
    try:
        components.load_component_from_text(text)
    except ParseError:
        return True
    return False


def test_each_is_caught_by_something() -> None:
    assert all(mutation.strict or mutation.ours for mutation in MUTATIONS)
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)
