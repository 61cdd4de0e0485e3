"""A probe changes its mind by its thresholds alone."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from serinus.local.cluster.node.probe import Probe, Tally, Where, ask, counted, probe_of
from serinus.stores.process import identity_of
from tests.cluster.node.builders import SHOP


def verdicts(answers: str, says: bool, to_succeed: int = 1, to_fail: int = 3) -> str:
    probe, tally, seen = Probe({}, 0, 1, 1, to_succeed, to_fail), Tally(says), ""
    for answer in answers:
        tally = counted(tally, answer == "+", probe)
        seen += "+" if tally.says else "-"
    return seen


@pytest.mark.parametrize(
    ("answers", "says", "seen"),
    [
        ("-+", False, "-+"),
        ("--+--", True, "+++++"),
        ("---+", True, "++-+"),
        ("-", True, "+"),
    ],
)
def test_three_in_a_row(answers: str, says: bool, seen: str) -> None:
    assert verdicts(answers, says) == seen


def test_other_thresholds() -> None:
    assert verdicts("++-++", False, to_succeed=2, to_fail=1) == "-+--+"


def test_defaults_are_the_api_s() -> None:
    assert probe_of(SHOP, "readinessProbe") is None
    probe = probe_of({**SHOP, "readinessProbe": {"httpGet": {"port": 80}}}, "readinessProbe")
    assert probe is not None
    assert (probe.delay, probe.period, probe.timeout, probe.to_succeed, probe.to_fail) == (0, 10, 1, 1, 3)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["sh", "-c", "exit 0"], ""),
        (["sh", "-c", "echo no room; exit 3"], "no room"),
        (["sh", "-c", "exit 3"], "exit code 3"),
        (["sleep", "60"], "timed out after 0.5s"),
        (["there-is-none"], "No such file"),
    ],
)
async def test_a_command_is_run(words: list[str], why: str) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        where = Where("127.0.0.1", {}, {"PATH": "/usr/bin:/bin"})
        found = await ask({"exec": {"command": words}}, where, 0.5, client)
    assert (why in found) if why else not found


async def test_a_command_that_takes_too_long_is_gone_with_its_answer(tmp_path: Path) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        where = Where("127.0.0.1", {}, {"PATH": "/usr/bin:/bin"}, {"/scratch": tmp_path})
        words = ["sh", "-c", "echo $$ > /scratch/pid; exec sleep 60"]
        assert "timed out" in await ask({"exec": {"command": words}}, where, 0.5, client)
    assert identity_of(int((tmp_path / "pid").read_text())) is None


async def test_who_a_command_leaves_behind_is_not_waited_for() -> None:
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        where = Where("127.0.0.1", {}, {"PATH": "/usr/bin:/bin"})
        assert not await ask({"exec": {"command": ["sh", "-c", "sleep 3 &"]}}, where, 2, client)


async def test_a_command_finds_what_is_mounted(tmp_path: Path) -> None:
    (tmp_path / "looked").touch()
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        where = Where("127.0.0.1", {}, {"PATH": "/usr/bin:/bin"}, {"/scratch": tmp_path})
        assert not await ask({"exec": {"command": ["sh", "-c", 'test -n "$(find /scratch/looked)"']}}, where, 5, client)


async def test_nobody_listens() -> None:
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        where = Where("127.0.0.1", {"http": 1}, {})
        assert "127.0.0.1:1/ready" in await ask({"httpGet": {"path": "ready", "port": "http"}}, where, 1, client)
        assert "dial tcp" in await ask({"tcpSocket": {"port": 1}}, where, 1, client)
