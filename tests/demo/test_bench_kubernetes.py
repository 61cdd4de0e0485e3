"""What the bench on Kubernetes makes of what clients saw: counts, seconds, promises, the table of both tools, and going on."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.kubernetes.__main__ import required
from bench.kubernetes.measure import beside, measures
from bench.kubernetes.peer import canary
from bench.kubernetes.row import FLAGGER, NOBODY, QUICK, ROWS, SERINUS, Play
from bench.kubernetes.run import Run, keep, kept, run_of
from bench.kubernetes.seen import Seen, asking, parse
from bench.kubernetes.space import policy
from bench.kubernetes.users import Users
from serinus.local.cluster.programs import SETS
from serinus.policy.load import parse as policy_of
from serinus.policy.load import to_plan
from tests.routers.running import until


def seen(*asked: tuple[str, str, float]) -> Seen:
    """Of requests by version, status and the time when they were sent."""
    users = Users()
    for version, status, at in asked:
        users.saw(version, status, at, at + 0.01)
    return parse(json.loads(json.dumps(users.as_json())))


SOME = (
    ("v1.0", "200", 0.0),
    ("v2", "200", 1.0),
    ("v2", "500", 2.5),
    ("", "503", 3.0),
    ("v2", "200", 4.0),
    ("v1.0", "200", 9.0),
)


def test_failed_is_what_clients_saw_failing() -> None:
    found = seen(*SOME, ("", "ServerDisconnectedError", 5.0), ("", "404", 6.0))
    assert (found.failed, found.requests) == (3, 8)
    assert found.by_version()["v2"] == {"200": 2, "500": 1}
    assert found.by_version()["nobody"] == {"503": 1, "ServerDisconnectedError": 1, "404": 1}


def test_seconds_go_from_the_version_s_first_request_to_its_last_or_nobody_s() -> None:
    assert seen(*SOME).seconds("v2") == 3.0
    assert seen(*SOME, ("v2", "500", 1.2)).seconds("v2", good_seconds=1.0) == 1.5
    assert seen(*SOME).seconds("v2", good_seconds=2.5) is None
    assert seen(("", "503", 1.0), ("", "503", 1.5)).seconds("v2-dead") == 0.5
    assert seen(("v1.0", "200", 1.0)).seconds("v2") is None


def a_run(
    scenario: str = "errors", failed: int = 5, seconds: float | None = 1.0, play: Play | None = None, **more: Any
) -> Run:
    played = play or Play(scenario, 1)
    ended = {"good": "promoted", "steady": "steady"}.get(played.scenario, "rolled back")
    told = {"reason": {"weight": 100}, "seconds": {"verdict_to_stable": 0.1}} if played.tool == SERINUS else {}
    made = run_of("row", played, ("v1.0", "v2"), seen(("v2", "500", 0.0)), ended, told)
    return replace(made, failed=failed, seconds=seconds, **more)


def met(*runs: Run) -> dict[str, bool | None]:
    return {measure.name: measure.met for measure in measures(runs)}


@pytest.mark.parametrize(("scrape", "most"), [(1, 14), (15, 60), (30, 120)])
def test_each_scrape_interval_has_its_own_count_of_errors(scrape: int, most: int) -> None:
    play, name = Play("errors", 1, scrape=scrape), f"errors, contour, scrapes {scrape} s: failed"
    assert met(a_run(failed=most, play=play))[name] is True
    assert met(a_run(failed=most + 1, play=play), a_run(failed=0, play=play))[name] is False


def test_a_failure_in_the_soak_counts_where_it_was_one() -> None:
    name = "soak, contour, scrapes 1 s: seconds from the first failure"
    assert met(a_run("soak", seconds=2.0))[name] is True
    assert met(a_run("soak", seconds=2.1))[name] is False
    assert met(a_run("soak", weight=50))[name] is False


def test_one_that_ended_otherwise_breaks_its_promise() -> None:
    assert met(a_run("good", 0), a_run("good", 0, ended="rolled back"))["good, contour, scrapes 1 s"] is False
    assert met(a_run("dead", ended="promoted"))["dead, contour, scrapes 1 s: seconds"] is False
    assert met(a_run("good", 1))["good, contour, scrapes 1 s"] is False


def test_the_slowest_verdict_counts() -> None:
    name = "verdict to weight 0 read back"
    assert met(*[a_run()] * 49, a_run(verdict_to_stable=1.9))[name] is True
    assert met(*[a_run()] * 49, a_run(verdict_to_stable=2.1))[name] is False


def test_a_load_that_could_not_be_sent_is_said() -> None:
    load = {"unsent": 1, "late_seconds": 0.1, "cpu_seconds": 1.0, "seconds": 10.0}
    assert met(a_run(load=load))["the load itself, all runs"] is False
    assert met(a_run("steady", 1, None, Play("steady", 1, NOBODY)))["the load itself, stable alone"] is False


def test_both_stand_beside_each_other_where_they_met_the_same() -> None:
    peer = Play("errors", 1, FLAGGER, interval="10s", threshold=2)
    table = beside([a_run(), a_run(failed=91, seconds=42.0, play=peer), a_run(play=Play("dead", 1))]).splitlines()
    assert len(table) == 3
    assert "Serinus" in table[1]
    assert "Flagger, 10s x 2" in table[2]
    assert "91" in table[2]
    assert beside([a_run()]) == ""


def test_runs_are_kept_as_they_were_and_a_torn_line_is_played_again(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    runs = [a_run(), a_run("dead")]
    assert kept(file) == []
    keep(runs[0], file)
    with file.open("a") as lines:
        lines.write('{"row": "ro')
    assert kept(file) == runs[:1]
    keep(runs[1], file)
    assert kept(file) == runs


def test_no_two_plays_of_a_row_have_one_name() -> None:
    for rows in (ROWS, QUICK):
        for row in rows:
            names = [play.name for lane in row.lanes for play in lane]
            assert len(names) == len(set(names)), row.name


def test_fifty_verdicts_are_measured() -> None:
    plays = [play for row in ROWS for lane in row.lanes for play in lane]
    assert sum(play.times for play in plays if play.tool == SERINUS and play.scenario != "good") >= 50


def test_every_policy_is_sound() -> None:
    for play in (play for rows in (ROWS, QUICK) for row in rows for lane in row.lanes for play in lane if play.ours):
        plan = to_plan(policy_of(json.loads(policy(play, "shop-1", "http://127.0.0.1:9090"))), "v2-errors")
        assert plan.checks.scrape_seconds == play.scrape
        assert plan.target.router == play.router


def test_flagger_is_told_what_its_documentation_has() -> None:
    spec = canary(Play("errors", 1, FLAGGER, interval="60s", threshold=5), "http://127.0.0.1:9090")["spec"]
    assert (spec["analysis"]["interval"], spec["analysis"]["threshold"]) == ("60s", 5)
    assert spec["analysis"]["stepWeights"] == [5, 10, 25, 50]


def test_the_pinned_versions_are_kept_beside_the_figures() -> None:
    assert required(SETS["flagger"].source / "go.mod") == "v1.44.0"
    assert {required(one.source / "go.mod")[0] for one in SETS.values()} == {"v"}


@pytest.mark.real
async def test_users_ask_by_the_clock_and_say_what_became_of_each(tmp_path: Path) -> None:
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                asked += 1
                status, body = b"200 OK" if asked % 2 else b"500 Oh", b'{"version": "v2"}'
                writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        except asyncio.IncompleteReadError:
            writer.close()

    async def enough() -> bool:
        return asked >= 20

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asking(f"http://127.0.0.1:{port}", "shop.example", 50, tmp_path / "users.json") as users:
        await until(enough, "twenty requests")
    server.close()
    found = users.seen
    assert found.requests == asked
    assert found.failed == asked // 2
    assert set(found.by_version()) == {"v2"}
    assert found.unsent == 0
