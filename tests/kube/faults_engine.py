"""The engine's process is stopped, killed, doubled; its figures stay away: the traffic always has somebody who answers for it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable

from serinus.local.child import tied
from serinus.ports import Route
from serinus.release.record import Record, State
from tests.faults.proxy import Way, proxy
from tests.kube.ground import BEFORE, HEALTHY, LONG, SHORT, Shop, stopped


async def thawed(shop: Shop) -> str:
    """A guard of its own process, looking twice as a CronJob does, ends it; whoever wakes after that writes nothing."""
    async with shop.users() as users:
        engine = await shop.process(**LONG)
        await shop.at_percent(50)
        await stopped(engine)
        guard = await asyncio.create_subprocess_exec(
            *tied((sys.executable, "-m", "serinus.cli", "guard", "--once", "--namespace", shop.space.namespace)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=shop.environment,
        )
        said = (await asyncio.wait_for(guard.communicate(), 100))[0].decode()
        record = await shop.over(5)
        assert record.state is State.ROLLED_BACK, (record.outcome, said)
        await shop.whole(BEFORE)
        versions = [shop.front["metadata"]["resourceVersion"], await shop.ledger.read()]
        engine.send_signal(signal.SIGCONT)
        last = await shop.said(engine)
        assert last["outcome"] == "fenced", last
        assert [shop.front["metadata"]["resourceVersion"], await shop.ledger.read()] == versions
    assert users.failed == 0, users.seen
    return f"{last['why']}; the guard said: {said.strip().splitlines()[-1]}"


async def at_50(shop: Shop) -> None:
    await shop.at_percent(50)


async def promoting(shop: Shop) -> None:
    def rolling_out(record: Record, route: Route) -> bool:
        return record.state is State.PROMOTING

    await shop.at(rolling_out, "promoting")


async def killed(moment: Callable[[Shop], Awaitable[None]], shop: Shop) -> str:
    """Everything is as it was, or wholly as it was to be."""
    async with shop.users() as users:
        engine = await shop.process(**(LONG if moment is at_50 else SHORT))
        await moment(shop)
        engine.kill()
        async with shop.guarded() as said:
            seconds = await shop.returned()
            record = await shop.over()
            await shop.whole(HEALTHY if record.state is State.PROMOTED else BEFORE)
    assert moment is promoting or record.state is State.ROLLED_BACK
    assert users.failed == 0, users.seen
    return f"weight 0 after {seconds:.1f} s, {record.state}: {said}"


async def killed_at_50(shop: Shop) -> str:
    return await killed(at_50, shop)


async def killed_promoting(shop: Shop) -> str:
    return await killed(promoting, shop)


async def two_at_once(shop: Shop) -> str:
    """One releases; the other touches nothing and says who does."""
    async with shop.users() as users:
        first, second = await asyncio.gather(shop.begin(**SHORT), shop.begin(**SHORT))
        ends = await asyncio.gather(first.ended(), second.ended())
        await shop.whole(HEALTHY)
    refused = [why for outcome, why in ends if outcome == "refused"]
    assert sorted(outcome for outcome, _ in ends) == ["promoted", "refused"], ends
    assert "another release was faster" in refused[0] or "is going" in refused[0], refused
    assert users.failed == 0, users.seen
    return refused[0]


async def no_figures(shop: Shop) -> str:
    """Held, and then ended as the policy says."""
    async with shop.users() as users, proxy(shop.space.cluster.prometheus) as between:
        telemetry = {"prometheus": {"url": between.url}}
        going = await shop.begin(limits={"metrics_down": "4s"}, telemetry=telemetry, **LONG)
        await shop.at_percent(50)
        between.way = Way.GARBAGE
        await shop.at(lambda record, _: "metrics-down" in record.held, "held for want of figures")
        outcome, why = await going.ended()
        await shop.whole(BEFORE)
    assert outcome == State.ROLLED_BACK, (outcome, why)
    assert going.engine is not None
    assert going.engine.record.outcome is not None
    assert going.engine.record.outcome.rule == "metrics-down"
    assert users.failed == 0, users.seen
    return why


async def record_removed(shop: Shop) -> str:
    """Its owner returns the traffic itself; the guard that knew the service takes the rest away."""
    async with shop.users() as users, shop.guarded():
        going = await shop.begin(**LONG)
        await shop.at_percent(50)
        await shop.hand("delete", "configmap", "serinus-shop")
        outcome, why = await going.ended()
        await shop.whole(BEFORE)
    assert outcome == "fenced", (outcome, why)
    assert "the record of shop is gone" in why, why
    assert await shop.record() is None
    assert users.failed == 0, users.seen
    return why


async def record_removed_engine_dead(shop: Shop) -> str:
    """Neither owner nor record: the guard goes on with what it knew."""
    async with shop.users() as users, shop.guarded() as said:
        engine = await shop.process(**LONG)
        await shop.at_percent(50)
        engine.kill()
        await shop.hand("delete", "configmap", "serinus-shop")
        seconds = await shop.returned()
        await shop.whole(BEFORE)
    assert await shop.record() is None
    assert users.failed == 0, users.seen
    return f"weight 0 after {seconds:.1f} s: {said}"


SCENARIOS: dict[str, tuple[str, Callable[[Shop], Awaitable[str]]]] = {
    "SIGSTOP, and a guard that looks twice": ("contour", thawed),
    "SIGKILL at 50": ("gateway-api", killed_at_50),
    "SIGKILL in promotion": ("contour", killed_promoting),
    "two at once": ("contour", two_at_once),
    "no figures": ("contour", no_figures),
    "record removed": ("gateway-api", record_removed),
    "record removed, engine dead": ("contour", record_removed_engine_dead),
}
