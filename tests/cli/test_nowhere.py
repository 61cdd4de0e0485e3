"""Where nothing runs: every verb says so, names what helps, and touches nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serinus.cli.app import app
from serinus.cli.failure import Usage
from serinus.cli.server import Server, choose
from serinus.settings import Folders
from tests.cli.test_app import RUN

SHOP = "deployments/policies/shop.yaml"


@pytest.fixture(autouse=True)
def _nowhere(folders: Folders, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SERINUS_STATE", str(folders.state))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    for name in ("PREFECT_API_URL", "SERINUS_API"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["status", "shop"],
        ["watch", "shop"],
        ["abort", "shop"],
        ["pause", "shop"],
        ["resume", "shop"],
        ["promote", "shop"],
        ["rollback", "shop"],
        ["local", "down"],
        ["local", "status"],
        ["local", "fault", "shop"],
        ["local", "load", "shop"],
        ["release", "shop", "v2"],
    ],
    ids=" ".join,
)
def test_what_needs_a_platform_says_how_to_get_one(words: list[str], folders: Folders) -> None:
    refused = RUN.invoke(app, words)
    assert refused.exit_code == 2
    assert "serinus local up" in refused.stderr
    assert "Traceback" not in refused.output
    assert not folders.state.exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["release", "nope", "v2"], "known are"),
        (["release", "shop", "v 2"], "no version"),
        (["release", "other", "v2", "--policy", SHOP], "not of other"),
        (["release", "shop", "v2", "--policy", "absent.yaml"], "no such file"),
        (["promote", "shop", "--despite-gate"], "--why"),
        (["demo", "nope"], "good, errors"),
        (["demo", "--rate", "0"], "--rate"),
        (["local", "up", "--service", "shop:v999"], "v999"),
        (["local", "up", "--service", "shop:v1:x"], "--service"),
        (["local", "up", "--scrape", "5"], "--scrape"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused_before_anything_starts(words: list[str], told: str, folders: Folders) -> None:
    refused = RUN.invoke(app, words)
    assert refused.exit_code in (1, 2)
    assert told in refused.stderr
    assert "bug" not in refused.stderr
    assert "Traceback" not in refused.output
    assert not folders.state.exists()


def test_the_scenarios_are_listed() -> None:
    listed = RUN.invoke(app, ["demo", "--list", "--json"])
    assert set(json.loads(listed.stdout)) == {
        "good",
        "errors",
        "slow",
        "dead",
        "late",
        "incident",
        "no-traffic",
        "engine-killed",
    }


def test_doctor_says_what_is_missing_and_how_to_mend_it() -> None:
    looked = RUN.invoke(app, ["doctor", "--json"])
    answer = json.loads(looked.stdout.splitlines()[-1])
    assert looked.exit_code == 1
    missing = {item["what"]: item["mend"] for item in answer["items"] if item["mend"] and item["fatal"]}
    assert set(missing) == {"Prefect server"}
    assert "serinus local up" in missing["Prefect server"]


def test_doctor_asks_the_server_that_is_named() -> None:
    looked = RUN.invoke(app, ["doctor", "--api", "http://127.0.0.1:1/api"])
    assert looked.exit_code == 1
    assert "http://127.0.0.1:1/api (from --api) does not answer" in looked.stdout


def test_the_guard_has_nothing_to_look_at() -> None:
    looked = RUN.invoke(app, ["guard", "--once", "--json"])
    assert looked.exit_code == 0


def test_a_named_server_is_meant_before_all_others(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose("http://a:1/api/", folders) == Server("http://a:1/api", "--api")
    monkeypatch.setenv("SERINUS_API", "http://b:1/api")
    assert choose("", folders).api == "http://b:1/api"
    assert choose("http://a:1/api", folders).ui == "http://a:1"


def test_without_a_server_two_commands_are_named(folders: Folders) -> None:
    with pytest.raises(Usage, match=r"serinus local up.*prefect config set PREFECT_API_URL") as refused:
        choose("", folders)
    assert f"no platform runs in {folders.state}" in str(refused.value)
    assert "export the PREFECT_API_URL that `serinus local status` says there" in str(refused.value)
