"""What a plan says of a spec that changed, without an engine."""

from __future__ import annotations

from pathlib import Path

from compiler import frontend
from compiler.deployment.wanted import Wanted, want
from compiler.deployment.words import spec_changes

SPEC = """\
apiVersion: mlc/v1
kind: Algorithm
name: moved
image: python:3.12
steps:
  first: {command: ["true"]}
  second: {needs: [first], command: ["true"], env: {A: "${{ git.commit }}"}}
"""


def wanted(folder: Path, text: str) -> Wanted:
    (folder / "mlc.toml").touch()
    spec = folder / "spec.yaml"
    spec.write_text(text)
    found, loaded = want(str(spec), frontend.read(spec))
    assert found is not None, loaded.diagnostics
    return found


def test_a_spec_that_only_moved_has_no_changes(tmp_path: Path) -> None:
    before = wanted(tmp_path, SPEC)
    after = wanted(tmp_path, SPEC.replace("steps:\n", "# A comment.\n\nsteps:\n"))
    assert list(spec_changes(before, after)) == []


def test_an_image_of_a_step_is_a_change(tmp_path: Path) -> None:
    before = wanted(tmp_path, SPEC)
    after = wanted(tmp_path, SPEC.replace("3.12", "3.13"))
    places = ["image", "steps.first.image", "steps.second.image"]
    assert [change.place for change in spec_changes(before, after)] == places
