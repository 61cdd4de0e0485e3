"""Prometheus is absent, talks nonsense or takes its time: nothing is promoted blindly, nothing waits for ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from serinus.local.addresses import claim_block
from serinus.release.record import State
from tests.faults.ground import Shop, until
from tests.faults.policies import STEPS, through
from tests.faults.proxy import Way, proxy


async def absent(shop: Shop) -> str:
    """Refused before anything is touched, with where and how to mend it."""
    block = claim_block()
    before = shop.revisions()
    engine = await shop.begin(**through(f"http://127.0.0.1:{block.take()}"))
    said = await engine.ended()
    block.release()
    assert said["outcome"] == "refused", said
    assert "start Prometheus" in said["why"]
    assert "connection refused" in said["why"]
    assert shop.revisions() == before
    return str(said["why"])


async def garbage(shop: Shop) -> str:
    """Past its deadline the release ends with the reason."""
    stable = shop.stable
    async with shop.users() as users, proxy(shop.ground.platform.prometheus) as between:
        engine = await shop.begin(
            steps=(("5%", "2s"), ("50%", "60s"), ("100%", "1s")), limits={"metrics_down": "3s"}, **through(between.url)
        )
        await shop.at_percent(50)
        between.way = Way.GARBAGE
        said = await engine.ended()
        await shop.whole(stable)
    assert said["outcome"] == State.ROLLED_BACK, said
    outcome = (await shop.mine()).outcome
    assert outcome is not None
    assert (outcome.gate, outcome.rule) == ("telemetry", "metrics-down")
    assert "does not answer as a Prometheus does" in outcome.why
    assert users.failed == 0, users.say()
    return outcome.why


async def slow(shop: Shop) -> str:
    """Before its deadline it is nothing but a pause."""
    version = shop.other
    async with shop.users() as users, proxy(shop.ground.platform.prometheus) as between:
        engine = await shop.begin(
            steps=(*STEPS[:1], ("50%", "5s"), *STEPS[2:]), limits={"metrics_down": "60s"}, **through(between.url)
        )
        await shop.at_percent(50)
        between.way = Way.SLOW
        held = await shop.at(lambda record, _: "metrics-down" in record.held, "held for want of figures")
        calls = between.calls

        async def asked_again() -> bool:
            return between.calls >= calls + 2

        await until(asked_again, "it is asked again")
        assert (await shop.mine()).soaked_seconds == held.soaked_seconds, "what is not seen does not count"
        between.way = Way.THROUGH
        said = await engine.ended()
        await shop.whole(version)
    assert said["outcome"] == State.PROMOTED, said
    assert users.failed == 0, users.say()
    return str(said["why"])


SCENARIOS: dict[str, Callable[[Shop], Awaitable[str]]] = {
    "Prometheus is slow": slow,
    "Prometheus answers garbage": garbage,
    "Prometheus is absent": absent,
}
