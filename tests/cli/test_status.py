"""What serves now: by the route and the workloads, in words and for programs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serinus.cli.follow import Seen
from serinus.cli.status import Arms, _now, described, serving
from serinus.ports import Route, Side
from serinus.release.weight import Weight
from tests.fakes import a_world
from tests.moves.driver import ports
from tests.release.builders import a_release

STABLE = Side("{}", "v1", 2, (), True, "1")
CANARY = Side("{}", "v2", 1, (), True, "1", release="r1")


def at(percents: float) -> Seen:
    return Seen(None, Route(Weight.of(percents), None, "1"), True)


@pytest.mark.parametrize(
    ("percents", "arms", "said"),
    [
        (0, (STABLE, None), "stable v1 serves 100 %"),
        (5, (STABLE, CANARY), "stable v1 serves 95 %, canary v2 serves 5 %"),
        (100, (replace(STABLE, version="v2", settled=False), CANARY), "stable v2 (not all of it yet) serves 0 %"),
        (0, (None, None), ""),
    ],
)
def test_it_says_which_version_serves_how_much(percents: float, arms: Arms, said: str) -> None:
    assert serving(at(percents), arms).startswith(said)


def test_programs_read_the_same() -> None:
    answer = described("shop", at(5), None, (STABLE, CANARY))
    assert answer["stable"] == {"version": "v1", "percent": 95, "settled": True}
    assert answer["canary"] == {"version": "v2", "percent": 5, "settled": True}
    assert described("shop", at(0), None, (STABLE, None))["canary"] is None


def test_a_route_that_cannot_be_read_serves_nobody_knows_what() -> None:
    blind = Seen(None, trouble="the route cannot be read: no answer")
    assert serving(blind, (STABLE, None)) == ""
    assert described("shop", blind, None, (STABLE, None))["stable"]["percent"] is None


@pytest.mark.parametrize("broken", ['{"n": 1', ""])
async def test_a_line_of_evidence_that_is_broken_hinders_nobody_from_seeing_what_serves(broken: str) -> None:
    there = ports(a_world())

    async def lines(release: str) -> tuple[str, ...]:
        return (broken,)

    there.ledger.lines = lines  # type: ignore[method-assign]
    record = replace(a_release().at(10).record, lines=())
    now = await _now(there, record.plan.target, replace(at(10), record=record))
    assert now is not None
    assert now.silent_seconds == 0
