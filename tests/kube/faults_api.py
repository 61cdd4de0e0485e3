"""The API server is away, slow, or refuses, as one release sees it: what others see of it stays as it is."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from serinus.moves.engine import KUBERNETES
from serinus.release.record import State
from tests.faults.ground import until
from tests.kube.between import STORM, Between, End, Way, between
from tests.kube.faults_route import lowered
from tests.kube.ground import BEFORE, HEALTHY, LONG, QUICK, SHORT, Release, Shop

AS_ON_KUBERNETES = replace(KUBERNETES, ready_seconds=120.0, drain_seconds=2.0, drain_at_most_seconds=5.0)
"""D and the beats as they are meant for an API server."""
SEED = 9
AWAY_SECONDS = 150.0


@contextmanager
def sentences() -> Iterator[list[str]]:
    """What `close` says meanwhile, of every release here."""
    said: list[str] = []

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    heard = Heard()
    logging.getLogger("serinus.close").addHandler(heard)
    try:
        yield said
    finally:
        logging.getLogger("serinus.close").removeHandler(heard)


async def absent_at_the_start(shop: Shop) -> str:
    """Refused with the reason; nothing was touched."""
    before = shop.front
    async with between(shop.account, shop.folder) as (server, kubeconfig):
        server.go(Way.RESET)
        outcome, why = await (await shop.begin(kubeconfig=kubeconfig)).ended()
    assert outcome == "refused", (outcome, why)
    assert "no connection to http://127.0.0.1" in why, why
    assert await shop.record() is None
    assert shop.front == before
    return why.partition("\n")[0]


async def away_for_a_moment(way: Way, shop: Shop) -> str:
    """Less than D, at each of the moments at which a release writes: it goes on."""
    async with shop.users() as users, between(shop.account, shop.folder) as (server, kubeconfig):
        going = await shop.begin(kubeconfig=kubeconfig, **SHORT)
        for percent in (10, 100):
            await shop.at_percent(percent)
            server.go(way)
            await asyncio.sleep(QUICK.dead_seconds / 2)
            server.go(Way.THROUGH)
        outcome, why = await going.ended()
        assert outcome == State.PROMOTED, why
        await shop.whole(HEALTHY)
    assert users.failed == 0, users.seen
    return why


async def slow_throughout(shop: Shop) -> str:
    """Half a second for each answer: everything takes longer, and nothing else happens."""
    async with shop.users() as users, between(shop.account, shop.folder) as (server, kubeconfig):
        server.go(Way.SLOW)
        outcome, why = await (await shop.begin(kubeconfig=kubeconfig, **SHORT)).ended(140)
        assert outcome == State.PROMOTED, why
        server.go(Way.THROUGH)
        await shop.whole(HEALTHY)
    assert users.failed == 0, users.seen
    assert server.done[Way.SLOW] > 50, server.done
    return f"{server.done[Way.SLOW]} slow answers; {why}"


async def returned_late(shop: Shop, going: Release, server: Between) -> str:
    """It has not ended while the server is away, and ends once it answers; why."""
    assert going.task is not None
    assert not going.task.done(), "it is not said to be ended"
    server.go(Way.THROUGH)
    outcome, why = await going.ended()
    record = await shop.over()
    assert (outcome, record.late) == (State.ROLLED_BACK, True), (outcome, why, record.late)
    await shop.whole(BEFORE)
    return why


async def away_for_long(way: Way, shop: Shop) -> str:
    """It lets go, says so each second, pages, and returns the traffic once it can."""
    async with shop.users() as users, between(shop.account, shop.folder) as (server, kubeconfig):
        going = await shop.begin(kubeconfig=kubeconfig, limits={"rollback": "3s"}, **LONG)
        await shop.at_percent(50)
        with sentences() as said:
            server.go(way)

            right = (
                r"50 % of `shop` still goes to the canary and nothing can change that before the API server answers "
            )

            async def paged_and_said() -> bool:
                return bool(going.told.notices) and sum(right[:20] in one for one in said) >= 3

            await until(paged_and_said, "a person is paged, and it goes on being said", 60)
            text = going.told.notices[0].text
            assert re.match(right + r"\(.*\); trying every second, \d+(st|nd|rd|th) time$", text), text
        assert going.told.notices[0].urgent
        why = await returned_late(shop, going, server)
    assert users.failed == 0, users.seen
    return f"{text}; then {why}"


async def away_for_minutes(shop: Shop) -> str:
    """With the times that are meant for a cluster: it lets go, pages, and returns the traffic minutes later."""
    phases = [{"weight": "50%", "soak": "10m"}, {"weight": "100%", "soak": "1s"}]
    async with shop.users() as users, between(shop.account, shop.folder) as (server, kubeconfig):
        going = await shop.begin(
            kubeconfig=kubeconfig, timing=AS_ON_KUBERNETES, limits={"duration": "15m"}, phases=phases
        )
        await shop.at_percent(50)
        server.go(Way.RESET)
        await asyncio.sleep(AWAY_SECONDS)
        assert going.told.notices
        why = await returned_late(shop, going, server)
    assert users.failed == 0, users.seen
    return f"{going.told.notices[0].text}; then {why}"


async def away_for_ever(shop: Shop) -> str:
    """A guard that reaches it returns the traffic; whoever comes back is fenced and writes nothing."""
    async with shop.users() as users, between(shop.account, shop.folder) as (server, kubeconfig):
        going = await shop.begin(kubeconfig=kubeconfig, **LONG)
        await shop.at_percent(50)
        server.go(Way.STRANGER)
        async with shop.guarded() as said:
            seconds = await shop.returned()
            record = await shop.over()
            assert record.state is State.ROLLED_BACK, record.outcome
            await shop.whole(BEFORE)
        server.go(Way.THROUGH)
        outcome, why = await going.ended()
        assert outcome == "fenced", (outcome, why)
        assert (await shop.over()).owner == record.owner
    assert any("taken over, no beat for" in one for one in said), said
    assert users.failed == 0, users.seen
    return f"weight 0 after {seconds:.1f} s; {why}"


async def watches_end(shop: Shop) -> str:
    """None lives for longer than a second or so: nothing is missed in between, and nothing is held to be what it no longer is."""
    async with shop.users() as users, between(shop.account, shop.folder) as (server, kubeconfig):
        server.end_watches(SEED, 2.0)
        outcome, why = await (await shop.begin(kubeconfig=kubeconfig, **SHORT)).ended()
        assert outcome == State.PROMOTED, why
        await shop.whole(HEALTHY)
    assert users.failed == 0, users.seen
    assert all(server.ended[end] > 2 for end in End), server.ended
    return f"{server.ended.total()} watches ended; {why}"


async def watches_end_and_an_edit(shop: Shop) -> str:
    """Somebody's weight is seen all the same."""
    async with between(shop.account, shop.folder) as (server, kubeconfig):
        server.end_watches(SEED, 2.0)
        why = await lowered(shop, kubeconfig)
    assert all(server.ended[end] > 1 for end in End), server.ended
    return f"{server.ended.total()} watches ended; {why}"


async def a_storm(ways: Sequence[Way], shop: Shop) -> str:
    """One answer in three is wrong, from before the release until after it: it is promoted all the same, and no user sees any of it."""
    async with shop.users() as users, between(shop.account, shop.folder) as (server, kubeconfig):
        server.storm(SEED, ways)
        going = await shop.begin(kubeconfig=kubeconfig, timing=AS_ON_KUBERNETES, limits={"duration": "15m"}, **SHORT)
        outcome, why = await going.ended(420)
        assert outcome == State.PROMOTED, why
        server.go(Way.THROUGH)
        await shop.whole(HEALTHY)
    assert users.failed == 0, users.seen
    wrong = server.calls - server.done[Way.THROUGH]
    assert wrong > server.calls / 5, server.done
    return f"{wrong} of {server.calls} answers wrong; {why}"


STORMS: dict[str, tuple[str, Callable[[Shop], Awaitable[str]]]] = {
    "late in one of three": ("contour", partial(a_storm, (Way.LATE,))),
    "a storm": ("contour", partial(a_storm, STORM)),
    "away for minutes": ("contour", away_for_minutes),
    "a storm by the Gateway API": ("gateway-api", partial(a_storm, STORM)),
    "429 in one of three": ("contour", partial(a_storm, (Way.LATER,))),
    "500 in one of three": ("gateway-api", partial(a_storm, (Way.BROKEN,))),
    "reset in one of three": ("contour", partial(a_storm, (Way.RESET,))),
    "lost in one of three": ("gateway-api", partial(a_storm, (Way.LOST,))),
}
"""They last longer than other faults, the first by far."""
SCENARIOS: dict[str, tuple[str, Callable[[Shop], Awaitable[str]]]] = {
    "absent at the start": ("contour", absent_at_the_start),
    "away for a moment": ("contour", partial(away_for_a_moment, Way.RESET)),
    "no answer for a moment": ("gateway-api", partial(away_for_a_moment, Way.LATE)),
    "slow throughout": ("contour", slow_throughout),
    "away for long": ("contour", partial(away_for_long, Way.RESET)),
    "watches end again and again": ("contour", watches_end),
    "watches end, and an edit": ("gateway-api", watches_end_and_an_edit),
    "401 for ever": ("contour", away_for_ever),
}
