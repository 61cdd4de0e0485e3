"""A part goes in mid-release: Contour for a moment, Contour when the traffic is to come back, the API server for long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from serinus.local.cluster.cluster import Cluster
from serinus.moves import ask
from serinus.moves.ask import new_ask
from serinus.moves.engine import KUBERNETES
from serinus.release.record import State, Verb
from tests.cluster.access import Access
from tests.cluster.fixtures import a_space
from tests.faults.ground import until
from tests.kube.faults_api import sentences
from tests.kube.ground import BEFORE, HEALTHY, LONG, QUICK, Release, a_shop
from tests.kube.test_release import Users

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.fixture
def other_space(own_cluster: Cluster) -> Iterator[Access]:
    yield from a_space(own_cluster)


async def asked_for(users: Users, more: int) -> None:
    """So many requests later."""
    goal = users.seen.total() + more

    async def reached() -> bool:
        return users.seen.total() >= goal

    await until(reached, f"{more} more requests")


async def paged(going: Release) -> None:
    async def told() -> bool:
        return bool(going.told.notices)

    await until(told, "a person is paged")


async def test_contour_may_restart_in_mid_release(own_cluster: Cluster, space: Access, tmp_path: Path) -> None:
    phases = [{"weight": "50%", "soak": "6s"}, {"weight": "100%", "soak": "2s"}]
    async with a_shop(space, tmp_path) as shop, shop.users() as users:
        going = await shop.begin(phases=phases, bake="2s")
        await shop.at_percent(50)
        with own_cluster.without("contour"):
            await asked_for(users, 50)
        outcome, why = await going.ended()
        assert outcome == State.PROMOTED, why
        await shop.whole(HEALTHY)
    assert users.failed == 0, users.seen


async def test_while_contour_stands_still_the_canary_is_said_to_be_served_until_it_is_not(
    own_cluster: Cluster, space: Access, tmp_path: Path
) -> None:
    async with a_shop(space, tmp_path) as shop, shop.users() as users:
        going = await shop.begin(limits={"rollback": "3s"}, **LONG)
        await shop.at_percent(50)
        with own_cluster.frozen("contour"), sentences() as said:
            await ask.ask(going.ports, new_ask(Verb.ABORT, "ann"))
            await shop.returned()
            await paged(going)
            assert any("50 % of `shop` may still go to the canary: the route says 0 %" in one for one in said), said
            assert going.task is not None
            assert not going.task.done(), "it is not said to be ended"
        outcome, why = await going.ended()
        assert (outcome, (await shop.over()).late) == (State.ROLLED_BACK, True), why
        await shop.whole(BEFORE)
    assert users.failed == 0, users.seen


async def test_an_api_server_that_is_away_ends_a_release_past_its_patience_and_no_other(
    own_cluster: Cluster, space: Access, other_space: Access, tmp_path: Path
) -> None:
    # Contour asks a server that went away again later and later: what it is told half a minute after is heard.
    phases = [{"weight": "50%", "soak": "45s"}, {"weight": "100%", "soak": "2s"}]
    patience = replace(QUICK, dead_seconds=KUBERNETES.dead_seconds)
    async with (
        a_shop(space, tmp_path / "one") as one,
        a_shop(other_space, tmp_path / "other", "gateway-api") as other,
        one.users() as users,
        other.users() as others,
    ):
        soon, late = (
            await one.begin(limits={"rollback": "3s"}, **LONG),
            await other.begin(phases=phases, bake="2s", timing=patience),
        )
        await one.at_percent(50)
        await other.at_percent(50)
        with own_cluster.without("kube-apiserver"), sentences() as said:
            await paged(soon)
            assert any("nothing can change that before the API server answers" in sentence for sentence in said), said
        outcome, why = await soon.ended()
        assert outcome == State.ROLLED_BACK, why
        outcome, why = await late.ended(150)
        assert outcome == State.PROMOTED, why
        await one.whole(BEFORE)
        await other.whole(HEALTHY)
    assert (users.failed, others.failed) == (0, 0), (users.seen, others.seen)
