"""Return all traffic to stable and latch the route: idempotent, three callers (failing branch, exception branch, guard).

Needs the router and nothing else: no record, metrics, Prefect, notifier, ready pods or valid policy.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from serinus.errors import Drift, Fenced, PlatformError, Refused, SerinusError, Unavailable
from serinus.moves.engine import LOCAL, Closed, Engine, Timing
from serinus.ports import Clock, Notice, Ports, Route, Router
from serinus.release.mark import Mark, Mode
from serinus.release.weight import NOTHING

log = logging.getLogger("serinus.close")
TAKE_UP_SECONDS = 1.0
"""How long the router's own word is waited for after the object says 0: past it the object alone counts."""


async def close_once(router: Router, clock: Clock, release: str, why: str, token: int | None = None) -> bool:
    """One try: weight 0 and mark `closed`, written, read back and taken up.

    Args:
        release: whose mark is meant; another's is left alone
        token: of the caller where it took the release over

    Returns:
        True where there was nothing left to do.

    Raises:
        PlatformError: not closed, or not known to be
        Drift: the release is being promoted, its undo decides
    """
    route = await router.read()
    mark = route.mark
    if mark is not None and mark.release != release:
        return True
    if mark is not None and mark.mode is Mode.PROMOTING:
        raise Drift(f"{release} is being promoted: what returns its traffic is its undo")
    if route.weight == NOTHING and (mark is None or mark.mode in (Mode.CLOSED, Mode.REPLACED)):
        await wait_taken_up(router, clock, route)
        return True
    await router.write(closed_mark(mark, release, why, token), route)
    again = await router.read()
    if again.weight != NOTHING:
        raise Unavailable(f"the route was written with 0 % and reads {again.weight}")
    await wait_taken_up(router, clock, again)
    return False


def closed_mark(mark: Mark | None, release: str, why: str, token: int | None = None) -> Mark:
    """The latch that follows this mark, whoever writes it."""
    before = mark or Mark(release, 0, 0, Mode.OPEN, NOTHING)
    return Mark(release, token or before.token, before.seq + 1, Mode.CLOSED, NOTHING, why)


async def wait_taken_up(router: Router, clock: Clock, route: Route) -> None:
    """Wait for the router's own word; a router that does not answer serves nobody, and reads 0 when it is back."""
    started, pause = clock.monotonic(), 0.004
    while clock.monotonic() - started < TAKE_UP_SECONDS:
        try:
            if await router.taken_up(route):
                return
        except Unavailable as cause:
            log.warning("the route says 0 %%; the router does not answer: %s", cause)
            return
        await clock.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    await router.project()
    if not await router.taken_up(route):
        raise Unavailable(f"the route says 0 %, the router has not taken that up after {TAKE_UP_SECONDS:g} s")


async def close(
    router: Router,
    clock: Clock,
    release: str,
    why: str,
    *,
    token: int | None = None,
    timing: Timing = LOCAL,
    late_after_seconds: float = 30.0,
    late: Callable[[str], Awaitable[object]] | None = None,
) -> Closed:
    """Try each second, refusals too, until the canary's weight is 0.

    Args:
        late: told once, when `late_after_seconds` have passed without success
    """
    started, tries, told = clock.monotonic(), 0, False
    while True:
        tries += 1
        try:
            already = await close_once(router, clock, release, why, token)
            return Closed(why, clock.monotonic() - started, tries, already and tries == 1, clock.wall())
        except (Drift, Fenced):
            raise
        except Exception as cause:  # any other, a bug of an adapter too: nothing matters more than this write
            word = "is refused" if isinstance(cause, Refused) else "fails"
            lasted = clock.monotonic() - started
            log.error("%s: returning traffic to stable %s (try %d, %.0f s): %s", release, word, tries, lasted, cause)
            if late and not told and lasted >= late_after_seconds:
                told = True
                await late(
                    f"the canary of {release} may still serve after {lasted:.0f} s: {cause}; trying every second"
                )
        # The first tries follow at once: a Conflict is somebody else's write, seen by the next read.
        await clock.sleep(0.01 if tries < 4 else timing.again_seconds)


async def close_held(engine: Engine, why: str) -> Closed:
    """`close` for a release that this process holds; remembers when it was done. Calling it again finds it done."""
    if engine.closed is None:
        engine.closed = await close(
            engine.ports.router,
            engine.ports.clock,
            engine.release,
            why,
            token=engine.record.token,
            timing=engine.timing,
            late_after_seconds=engine.plan.limits.rollback_seconds,
            late=lambda text: _late(engine, text),
        )
        engine.closed_seconds = engine.now()
    return engine.closed


async def _late(engine: Engine, text: str) -> None:
    """A person is paged and the record says so, as far as either can be: the trying goes on whatever comes of it."""
    await page(engine.ports, engine.plan.service, engine.release, text)
    engine.remember(engine.say("late", replace(engine.record, late=True), why=text))
    try:
        await engine.write(engine.record)
    except (Fenced, PlatformError) as cause:
        log.error("%s: the record does not say yet that its way back is late: %s", engine.release, cause)


async def page(ports: Ports, service: str, release: str, text: str, step: str = "late") -> bool:
    """Tell a person who is needed now; False where the notice could not be sent, which is logged.

    Args:
        step: what for, once each
    """
    try:
        await ports.notifier.tell(Notice(service, release, text, f"{release}/{step}", urgent=True))
    except SerinusError as cause:
        log.error("%s: nobody could be paged: %s", release, cause)
        return False
    return True
