"""Every verb on real traffic, as a process of its own: what it does, what it says, its exit code."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from serinus.settings import Folders
from tests.cli.real import Shell, shell

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shell]:
    async with shell(Folders.at(Path(tmp_path_factory.mktemp("verbs")) / "state")) as ready:
        yield ready


async def test_a_bad_version_is_taken_back(here: Shell) -> None:
    answer = await (await here.release("v2-errors")).answer()
    assert (answer.code, answer.last["outcome"]) == (4, "rolled back")
    assert answer.last["weights"][-1][1] == 0
    whole = await here.type("evidence", "verify", answer.last["release"], "--json")
    assert (whole.code, whole.last["head_checked"]) == (0, True)
    status = (await here.type("status", "shop", "--json")).last
    assert (status["live"], status["weight"], status["taken_up"]) == (False, 0, True)


async def test_a_release_can_be_watched_asked_and_taken_back_once_promoted(here: Shell) -> None:
    version = await here.other_version()
    release = await here.held(version)
    status = (await here.type("status", "shop", "--json")).last
    assert (status["live"], status["weight"], status["taken_up"]) == (True, 20, True)
    assert status["release"]["version"] == version
    second = await (await here.release("v1.2")).answer()
    assert (second.code, second.last["outcome"]) == (3, "refused")
    assert (await here.type("pause", "shop", "--why", "lunch")).code == 0
    assert (await here.type("resume", "shop")).code == 0
    assert (await here.type("promote", "shop", "--despite-gate", "--why", "seen enough")).code == 0
    watching = await here.begin("watch", "shop", "--json")
    answer, watched = await release.answer(), await watching.answer()
    assert (answer.code, answer.last["outcome"]) == (0, "promoted")
    assert watched.code == 0, (watched.out, watched.err)
    assert watched.last["release"] == answer.last["release"]
    asked = (await here.type("evidence", "show", answer.last["release"])).out
    assert all(why in asked for why in ("pause", "resume", "seen enough"))
    back = await here.type("rollback", "shop", "--why", "changed my mind", "--json")
    assert back.code == 0, back.err
    assert (await here.there.ports.workload.stable()).version != version
    again = await here.type("rollback", "shop")
    assert again.code == 3
    assert "rolled back" in again.err


async def test_abort_returns_the_traffic_at_once(here: Shell) -> None:
    release = await here.held(await here.other_version())
    aborted = await here.type("abort", "shop", "--why", "no good", "--json")
    assert (aborted.code, aborted.last["closed"]) == (0, True)
    assert (await here.there.ports.router.read()).weight.percent == 0
    answer = await release.answer()
    assert (answer.code, answer.last["outcome"]) == (4, "rolled back")
    assert "no good" in answer.last["reason"]["why"]
    nothing = await here.type("abort", "shop")
    assert nothing.code == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_takes_the_release_back(here: Shell, number: signal.Signals) -> None:
    release = await here.held(await here.other_version())
    release.press(number)
    answer = await release.answer()
    assert (answer.code, answer.last["outcome"]) == (4, "rolled back")
    assert (await here.there.ports.router.read()).mark is None


async def test_the_second_ctrl_c_leaves_with_the_traffic_returned(here: Shell) -> None:
    release = await here.held(await here.other_version())
    release.press()
    release.press(signal.SIGTERM)
    answer = await release.answer()
    assert (answer.code, answer.last["outcome"]) == (4, "rolled back")
    assert (await here.there.ports.router.read()).weight.percent == 0
    ended = await here.type("watch", "shop", "--json")
    assert ended.last["outcome"] == "rolled back"


async def test_the_same_key_is_the_same_release(here: Shell) -> None:
    first = await (await here.release("v2-errors", "--key", "build 7")).answer()
    second = await (await here.release("v2-errors", "--key", "build 7")).answer()
    assert first.code == second.code == 4
    assert first.last["release"] == second.last["release"]


async def test_a_version_that_does_not_exist_is_refused(here: Shell) -> None:
    answer = await (await here.release("v999")).answer()
    assert (answer.code, answer.last["outcome"]) == (3, "refused")
    assert "v999" in answer.err


async def test_submitted_it_goes_on_without_this_process(here: Shell) -> None:
    answer = await here.type("release", "shop", "v1.2", "--submit", "--json")
    assert (answer.code, answer.last["outcome"]) == (7, "going")
    assert "/runs/flow-run/" in answer.last["run"]


async def test_doctor_finds_everything_in_order(here: Shell) -> None:
    looked = await here.type("doctor", "--json")
    assert (looked.code, looked.last["missing"]) == (0, 0)


async def test_a_fault_and_its_end(here: Shell) -> None:
    assert (await here.type("local", "fault", "shop", "--arm", "stable", "--error-rate", "100%")).code == 0
    sent = await here.type("local", "load", "shop", "--rate", "50", "--for", "2s", "--json")
    assert sent.last["failed"] > 0
    assert (await here.type("local", "fault", "shop", "--arm", "stable")).code == 0
    assert "an address of its own" in (await here.type("local", "load", "shop", "--host", "shop.example")).err
    for words in (("--arm", "nobody"), ("--error-rate", "5"), ("--latency", "2h")):
        assert (await here.type("local", "fault", "shop", *words)).code == 2


async def test_one_platform_a_folder(here: Shell) -> None:
    refused = await here.type("local", "up", "--detach")
    assert refused.code == 1
    assert "serinus local down" in refused.err
    assert (await here.type("local", "status", "--json")).last["ready"]
