"""A phase (or the bake) held and watched: checks until something else is to be done.

On ROLL_BACK it does at once what `heed` says. Re-entrant: it goes on with the soaked time of the record.
"""

from __future__ import annotations

import logging

from serinus.errors import Drift, PlatformError, Unavailable
from serinus.moves.check import check
from serinus.moves.engine import HOLD_BYTES, ROLL_BACK_BYTES, Engine
from serinus.moves.heed import heed
from serinus.moves.hold import check_alive, tick
from serinus.release.lifecycle import Action, Step

log = logging.getLogger("serinus.soak")


async def soak(engine: Engine) -> Action:
    """Check until the phase is done or the release is to end.

    Returns:
        ADVANCE, PROMOTE or FINISH; or ROLL_BACK, and then the traffic is with stable already, or in the bake the undoing is begun.

    Raises:
        Fenced: somebody else holds the release now
    """
    engine.watching = engine.ports.clock.monotonic()
    action = await _watch(engine)
    if action.ends:
        await heed(engine, action)
    return action


async def _watch(engine: Engine) -> Action:
    while True:
        ended = await _until_scrape(engine)
        if ended:
            return ended
        try:
            _, action = await check(engine)
        except Unavailable as cause:
            log.warning("%s: a check was not written: %s", engine.release, cause)
            continue
        action = _evidence_full(engine) or action
        if action.step is not Step.HOLD:
            return action


async def _until_scrape(engine: Engine) -> Action | None:
    """Wait for the next scrape and for the interval; ticking, so that a person's abort acts at once."""
    clock = engine.ports.clock
    due = engine.last_check + await _wait_seconds(engine)
    while True:
        ended = await tick(engine)
        if ended:
            return ended
        left = due - clock.monotonic()
        if left <= 0:
            return None
        try:
            check_alive(engine)
        except Drift as cause:
            return Action(Step.ROLL_BACK, str(cause), "engine", "stalled")
        await engine.rest(left)


async def _wait_seconds(engine: Engine) -> float:
    """From the last check to the next: the interval, moved to where a scrape has just arrived."""
    checks = engine.plan.checks
    since = engine.ports.clock.monotonic() - engine.last_check
    rest = max(checks.interval_seconds - checks.scrape_seconds, 0.0)
    try:
        scrape = await engine.ports.metrics.until_scrape()
    except PlatformError:  # the check says so, and how long that may last
        return checks.interval_seconds
    return max(since + scrape, rest)


def _evidence_full(engine: Engine) -> Action | None:
    """Evidence that cannot be copied piles up in the record: first the release waits, then it ends."""
    size = engine.lines_bytes
    if size > ROLL_BACK_BYTES:
        return Action(Step.ROLL_BACK, f"{size // 1024} KiB of evidence cannot be copied", "evidence", "full")
    if size > HOLD_BYTES:
        return Action(Step.HOLD, f"{size // 1024} KiB of evidence wait to be copied", "evidence", "waiting")
    return None
