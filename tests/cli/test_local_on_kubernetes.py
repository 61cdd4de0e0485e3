"""What a person is told who has started the Kubernetes of this machine."""

from __future__ import annotations

from pathlib import Path

from serinus.cli.on_kubernetes import lines
from tests.cli.test_place import a_platform


def test_every_line_can_be_typed_and_the_end_is_one_that_ends_it_from_anywhere(tmp_path: Path) -> None:
    platform = a_platform(tmp_path / "kubeconfig")
    told = lines(platform)
    assert f"  export KUBECONFIG={tmp_path / 'kubeconfig'}" in told
    assert f"  {platform.exported}" in told
    assert "  serinus status shop" in told
    assert told[-1].startswith("`serinus local down` ends all of it")
    assert "Ctrl-C" not in "".join(told)
