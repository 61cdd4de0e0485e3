"""When the first weight is set: so long before a scrape that this one can judge it, and no longer.

Until the first scrape nobody knows whether the version answers at all, and each request that it gets is a user's. Later weights
follow a check, and with it a scrape, by themselves. Moves no traffic, and never forbids to.
"""

from __future__ import annotations

from serinus.analysis import increment
from serinus.errors import PlatformError
from serinus.moves.engine import Engine
from serinus.moves.hold import hold
from serinus.release.lifecycle import Action, Step
from serinus.release.weight import Weight

ENOUGH_REQUESTS = 20.0
"""Of a version that fails three in ten, nine times in ten so many are beyond a usual limit; a worse one needs fewer."""
MOST_OF_SCRAPE = 0.7
"""Where scrapes are frequent: more of one would cost a dead version's users more than it finds."""
MOST_SCRAPES = 2


def wait_seconds(until_scrape: float, scrape: float, canary_rate: float) -> float:
    """How long to wait with the weight: under a scrape interval, 0 where nobody comes.

    Args:
        until_scrape: seconds to the next scrape
        scrape: seconds between two
        canary_rate: requests a second that the weight will bring
    """
    if canary_rate <= 0:
        return 0.0
    return (until_scrape - min(ENOUGH_REQUESTS / canary_rate, MOST_OF_SCRAPE * scrape)) % scrape


async def aim(engine: Engine, weight: Weight) -> Action | None:
    """Wait for the moment at which the first weight is best set.

    Returns:
        what ends the release meanwhile, such as a person's abort; else None: now.
    """
    scrape = engine.plan.checks.scrape_seconds
    for _ in range(MOST_SCRAPES):
        try:
            rate, due = await _usual(engine)
        except PlatformError:
            return None  # a release without figures is held and ended by the checks
        ended = await _wait(engine, due if rate is None else wait_seconds(due, scrape, rate * weight.fraction))
        if ended or rate is not None:
            return ended
    return None


async def _usual(engine: Engine) -> tuple[float | None, float]:
    """Stable's requests a second since the watermarks were taken, None before a newer scrape; seconds to the next."""
    metrics = engine.ports.metrics
    seen = increment.take(engine.record.gate, await metrics.read()).increment
    rate = seen.stable.requests / seen.seconds if seen and seen.seconds > 0 else None
    return rate, await metrics.until_scrape()


async def _wait(engine: Engine, seconds: float) -> Action | None:
    async def never() -> bool:
        return False

    ended = await hold(engine, never, seconds=seconds, waiting_for="the next scrape", overdue=Step.HOLD)
    return ended if ended and ended.ends else None
