"""`serinus guard --looked`: a file whose age tells a probe that it looks."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from serinus.cli.app import app


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERINUS_STATE", str(tmp_path / "state"))


def test_the_file_is_written_once_it_has_looked(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["guard", "--once", "--json", "--looked", str(tmp_path / "looked")])
    assert (done.exit_code, (tmp_path / "looked").exists()) == (0, True), done.output


def test_a_file_that_cannot_be_written_keeps_nobody_from_being_guarded(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["guard", "--once", "--json", "--looked", str(tmp_path / "none" / "looked")])
    assert done.exit_code == 0
    assert '{"looks": 1}' in done.output


@pytest.mark.real
def test_nothing_is_written_where_it_could_not_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = tmp_path / "kubeconfig"
    nowhere.write_text(
        "{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}],"
        " clusters: [{name: a, cluster: {server: 'http://127.0.0.1:9'}}], users: [{name: a, user: {}}]}"
    )
    monkeypatch.setattr("serinus.kube.connecting.KUBE_CONFIG_DEFAULT_LOCATION", str(nowhere))
    words = ["guard", "--once", "--json", "--namespace", "shop", "--looked", str(tmp_path / "looked")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code != 0
    assert not (tmp_path / "looked").exists()
