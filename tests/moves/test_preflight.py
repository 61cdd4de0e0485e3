"""What refuses a release before anything is touched, and what only a person is told."""

from __future__ import annotations

import pytest

from serinus.errors import Finding, PreflightError, Refused
from serinus.moves.preflight import preflight
from serinus.release.evidence import parse
from tests.fakes import Fault, a_world
from tests.moves.driver import ports, release
from tests.release.builders import a_plan

RARE = Finding("the source is scraped every 15 s, not every 1 s", "http://prometheus", "say so in the policy")
BROKEN = Finding("its query answers 3 series where one is meant", "gate 'lag'", "aggregate it")
QUIET = Finding("its query answers nothing at the moment", "gate 'lag'", "it must with traffic", fatal=False)


async def test_metrics_by_which_nothing_could_be_judged_refuse_it_with_every_finding() -> None:
    world = a_world()
    world.metrics.unfit = (RARE, BROKEN, QUIET)
    with pytest.raises(PreflightError) as refused:
        await preflight(ports(world), a_plan())
    assert refused.value.findings == (RARE, BROKEN, QUIET)
    assert refused.value.hindering == (RARE, BROKEN)
    assert world.routes == []
    assert await world.ledger.read() is None


async def test_what_is_no_hindrance_is_told_and_kept_in_the_evidence() -> None:
    world = a_world()
    world.metrics.unfit = (QUIET,)
    assert (await preflight(ports(world), a_plan())).notes == (QUIET,)
    await release(world, a_plan(5, 100, soak=2, bake=2))
    assert parse((await world.ledger.lines("r1"))[0]).data["notes"] == [str(QUIET)]


async def test_what_every_question_meets_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused() -> None:
        raise Refused("namespace market does not exist", "create it", "workload.kubernetes.namespace")

    world = a_world()
    for port, question in ((world.router, "read"), (world.workload, "stable")):
        monkeypatch.setattr(port, question, refused)
    with pytest.raises(PreflightError) as told:
        await preflight(ports(world), a_plan())
    assert str(told.value) == "workload.kubernetes.namespace: namespace market does not exist; create it"


async def test_metrics_that_do_not_answer_are_one_finding() -> None:
    world = a_world()
    world.inject(Fault.METRICS_DOWN)
    world.metrics.unfit = (RARE,)
    with pytest.raises(PreflightError) as refused:
        await preflight(ports(world), a_plan())
    assert [finding.where for finding in refused.value.findings] == ["metrics"]


async def test_a_stable_that_is_not_there_is_told_before_what_the_route_lacks_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wrong name of a Deployment is one of its Service too, which no route leads to."""
    world = a_world()

    async def absent() -> None:
        raise Refused("Deployment order not found")

    async def elsewhere() -> None:
        raise Refused("the route sends nothing to Service order")

    monkeypatch.setattr(world.workload, "stable", absent)
    monkeypatch.setattr(world.router, "read", elsewhere)
    with pytest.raises(PreflightError) as refused:
        await preflight(ports(world), a_plan(5))
    assert [finding.what for finding in refused.value.findings] == [
        "Deployment order not found",
        "the route sends nothing to Service order",
    ]
