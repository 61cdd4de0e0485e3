"""Return all traffic to stable and latch the route: idempotent, three callers (failing branch, exception branch, guard).

Needs the router and nothing else: no record, metrics, Prefect, notifier, ready pods or valid policy.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from serinus.errors import Drift, Fenced, PlatformError, Refused, SerinusError, Unavailable
from serinus.moves.engine import LOCAL, Closed, Engine, Timing
from serinus.ports import Clock, Notice, Ports, Route, Router
from serinus.release.mark import Mark, Mode
from serinus.release.weight import NOTHING

log = logging.getLogger("serinus.close")


class NotTakenUp(Unavailable):
    """The object says 0 %, its router does not yet."""


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
        raise NotTakenUp(f"the route says 0 %, the router has not taken that up after {TAKE_UP_SECONDS:g} s")


async def close(
    router: Router,
    clock: Clock,
    release: str,
    why: str,
    *,
    token: int | None = None,
    timing: Timing = LOCAL,
    serves: str = "",
    waits_for: str = "the platform",
    late_after_seconds: float = 30.0,
    late: Callable[[str], Awaitable[bool]] | None = None,
) -> Closed:
    """Try each second, refusals too, until the canary's weight is 0.

    Args:
        serves: what the canary may still get, for people: 25 % of shop
        waits_for: who does not answer where nobody does
        late: told when `late_after_seconds` have passed without success, again until it says that it has done its part;
            beside the tries, which wait for nobody
    """
    started, tries = clock.monotonic(), 0
    telling: asyncio.Task[bool] | None = None
    try:
        while True:
            tries += 1
            try:
                already = await close_once(router, clock, release, why, token)
                return Closed(why, clock.monotonic() - started, tries, already and tries == 1, clock.wall())
            except (Drift, Fenced):
                raise
            except Exception as cause:  # any other, a bug of an adapter too: nothing matters more than this write
                text = still(serves or f"the traffic of {release}", waits_for, cause, tries, timing)
                log.error("%s: %s", release, text)
                if late and clock.monotonic() - started >= late_after_seconds and _untold(telling):
                    telling = asyncio.ensure_future(late(text))
            # The first tries follow at once: a Conflict is somebody else's write, seen by the next read.
            await clock.sleep(0.01 if tries < 4 else timing.again_seconds)
    except asyncio.CancelledError:
        if telling:
            telling.cancel()
        raise
    finally:
        if telling:
            await asyncio.wait({telling})


def _untold(telling: asyncio.Task[bool] | None) -> bool:
    return telling is None or (telling.done() and not telling.result())


def still(serves: str, waits_for: str, cause: Exception, tries: int, timing: Timing) -> str:
    """The sentence while the traffic cannot be returned: what serves, what that waits for, how often it was tried."""
    if isinstance(cause, NotTakenUp):
        what = f"{serves} may still go to the canary: {cause}"
    elif isinstance(cause, Unavailable):
        what = f"{serves} still goes to the canary and nothing can change that before {waits_for} answers ({cause})"
    elif isinstance(cause, Refused):
        what = f"{serves} still goes to the canary and nothing can change that before this is mended: {cause}"
    else:
        what = f"{serves} still goes to the canary: {cause}"
    every = "every second" if timing.again_seconds == 1 else f"every {timing.again_seconds:g} s"
    return f"{what}; trying {every}, {ordinal(tries)} time"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 41st."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


async def close_held(engine: Engine, why: str) -> Closed:
    """`close` for a release that this process holds; remembers when it was done. Calling it again finds it done."""
    if engine.closed is None:
        began = engine.now()
        engine.closed = await close(
            engine.ports.router,
            engine.ports.clock,
            engine.release,
            why,
            token=engine.record.token,
            timing=engine.timing,
            serves=_serves(engine),
            waits_for="the API server" if engine.plan.target.workload == "kubernetes" else "the platform",
            late_after_seconds=engine.plan.limits.rollback_seconds,
            late=lambda text: say_late(engine, text),
        )
        engine.closed_seconds = began + engine.closed.seconds
    return engine.closed


async def close_unrecorded(engine: Engine, why: str) -> str:
    """What an owner does whose record is gone: returning the traffic needs none.

    Returns:
        what became of it, for people
    """
    try:
        await close_held(engine, why)
        said = f"{why}; the traffic is with stable, what is left of the release is the guard's to take away"
    except Drift as drift:  # as the guard, which sees whether stable can serve
        said = f"{why}; {drift}: the guard returns it once stable is ready"
    await page(engine.ports, engine.plan.service, engine.release, said, "record")
    return said


def _serves(engine: Engine) -> str:
    """The weight that was read last."""
    weights = engine.record.tally.weights
    return f"{weights[-1][1] if weights else 0:g} % of `{engine.plan.service}`"


async def say_late(engine: Engine, text: str) -> bool:
    """A person is paged and the record says so, as far as either can be: the trying goes on whatever comes of it."""
    told = await page(engine.ports, engine.plan.service, engine.release, text)
    if not engine.record.late:
        await _note_late(engine, text)
    return told


async def _note_late(engine: Engine, text: str) -> None:
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
