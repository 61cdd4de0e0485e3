"""Where the platform is down and its folder is left: what the record and the route say is still told."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace

import pytest

from serinus.cli.app import app
from serinus.ledgers.file import FileLedger
from serinus.release.record import Outcome, Record, State
from serinus.routers.envoy import initial
from serinus.settings import Folders
from tests.cli.test_app import RUN
from tests.release.builders import a_release


@pytest.fixture(autouse=True)
async def _ended(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last release was rolled back."""
    monkeypatch.setenv("SERINUS_STATE", str(folders.state))
    initial(folders, "shop")
    why = Outcome("31 % > 5 %", "error_rate", "hard breach", 5.0, 0.02)
    record = replace(a_release().record, state=State.ROLLED_BACK, ended=True, outcome=why)
    await FileLedger(folders, "shop").write(record, None)


def test_status_shows_the_record_and_that_the_router_does_not_answer() -> None:
    shown = RUN.invoke(app, ["status", "shop", "--json"])
    answer = json.loads(shown.stdout)
    assert shown.exit_code == 1
    assert (answer["live"], answer["weight"], answer["taken_up"]) == (False, 0, None)
    assert answer["release"]["why"] == "31 % > 5 %"
    assert answer["trouble"]
    assert "31 % > 5 %" in RUN.invoke(app, ["status"]).stdout


def test_status_says_that_the_platform_is_stopped() -> None:
    shown = RUN.invoke(app, ["status", "shop"])
    assert "is stopped: nothing serves; `serinus local up` starts it" in shown.stdout
    assert json.loads(RUN.invoke(app, ["status", "shop", "--json"]).stdout)["platform"] == "stopped"


def test_watch_ends_as_the_release_ended() -> None:
    watched = RUN.invoke(app, ["watch", "shop", "--json"])
    assert watched.exit_code == 4
    assert json.loads(watched.stdout.splitlines()[-1])["outcome"] == "rolled back"


@pytest.mark.parametrize("words", [["abort", "shop"], ["pause", "shop"], ["promote", "shop"]], ids=" ".join)
def test_nothing_can_be_asked_of_what_is_over(words: list[str]) -> None:
    refused = RUN.invoke(app, words)
    assert refused.exit_code == 2
    assert "r1" in refused.stderr


def test_what_is_rolled_back_already_names_the_way_to_an_older_version() -> None:
    refused = RUN.invoke(app, ["rollback", "shop"])
    assert refused.exit_code == 3
    assert "rolled back already: stable is v1" in refused.stderr
    assert "release the version before it: serinus release shop VERSION" in refused.stderr


async def test_a_pause_of_what_is_paused_says_so(folders: Folders) -> None:
    ledger = FileLedger(folders, "shop")
    kept = await ledger.read()
    assert kept is not None
    kept = await ledger.write(a_release().at(10).record, kept.version)
    told = {
        ("resume", False): "shop is not paused: nothing was asked.",
        ("pause", False): "was asked to pause",
        ("pause", True): "shop is paused already: nothing was asked.",
        ("resume", True): "was asked to resume",
    }
    for (word, paused), sentence in told.items():
        now = await ledger.read()
        assert now is not None
        assert isinstance(now.record, Record)
        await ledger.write(replace(now.record, inbox=(), paused=paused), now.version)
        asked = await asyncio.to_thread(RUN.invoke, app, [word, "shop"])
        assert (asked.exit_code, sentence in asked.stdout) == (0, True), asked.output
    twice = await asyncio.to_thread(RUN.invoke, app, ["resume", "shop"])
    assert "not paused" in twice.stdout


@pytest.mark.parametrize("words", [["abort", "shop"], ["pause", "shop"], ["status", "shop"]], ids=" ".join)
def test_who_looks_or_asks_waits_for_no_import_of_prefect_or_of_metrics(words: list[str]) -> None:
    code = (
        f"import sys; sys.argv=['serinus', *{words!r}]\n"
        "from serinus.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'prefect', 'kubernetes', 'numpy', 'pandas', 'requests', 'prometheus_api_client', 'tenacity', 'ruamel'}\n"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_another_service_is_not_known() -> None:
    refused = RUN.invoke(app, ["status", "api"])
    assert refused.exit_code == 2
    assert "it knows shop" in refused.stderr


def test_doctor_says_that_the_platform_does_not_run() -> None:
    looked = RUN.invoke(app, ["doctor", "--api", "http://127.0.0.1:1/api"])
    assert looked.exit_code == 1
    assert "no local platform runs" in looked.stdout
