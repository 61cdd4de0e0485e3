"""The guard's look at one service: is a release silent, is a canary left that nobody owns? And what is done about it.

Runs elsewhere than the engine, again and again; two looks apart tell a silent owner from a living one, by this process' clock
alone. Moves and their order are those of every other caller.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from serinus.errors import Conflict, Drift, Fenced, PlatformError, Refused, RollbackError, SerinusError, Unavailable
from serinus.moves.close import close_once, page
from serinus.moves.engine import LOCAL, Engine, Timing
from serinus.moves.standing import Standing
from serinus.moves.take_over import end_orphan, take_over
from serinus.moves.unowned import close_unowned, unmark
from serinus.ports import Kept, Ports, Route, Side
from serinus.release.orphan import Conclusion
from serinus.release.record import Foreign, Record

log = logging.getLogger("serinus.guard")
CANCEL_SECONDS = 1.0
BLIND_SECONDS = 300.0
"""How long a platform that does not answer, or does not know who asks, is taken to mend itself."""
UNGUARDED, STUCK = "unguarded", "stuck"


class Guard:
    """One service's guard: remembers the last beat that it saw, and a look that goes on.

    Args:
        ports: the service's world
        service: its name
        owner: makes a new owner's name, for a take-over
        gone: the platform can prove that this owner's process is gone
    """

    def __init__(
        self,
        ports: Ports,
        service: str,
        owner: Callable[[], str],
        gone: Callable[[str], bool] = lambda owner: False,
        timing: Timing = LOCAL,
    ) -> None:
        self._ports = ports
        self._service = service
        self._owner = owner
        self._gone = gone
        self._timing = timing
        self._beat, self._unreadable, self._failing = Standing(), Standing(), Standing()
        self._mine: Engine | None = None
        self._copied = ""
        self._paged: set[tuple[str, str]] = set()
        self._looking: asyncio.Task[list[str]] | None = None
        self._begun = 0.0
        self.clean = False
        """The last look found nothing that a release has left."""
        self.failing = False
        """The last look failed, or was given up."""

    @property
    def told(self) -> bool:
        """A person was told that it cannot be guarded, and it could not be since."""
        return (self._service, UNGUARDED) in self._paged

    @property
    def look_seconds(self) -> float:
        """How long a look may take; one that takes longer is stuck: two rollouts of two are awaited in the longest."""
        return 5 * self._timing.ready_seconds

    def looking(self) -> asyncio.Task[list[str]]:
        """The look that goes on, or a new one."""
        if self._looking is None:
            self._begun = self._ports.clock.monotonic()
            self._looking = asyncio.ensure_future(self._look_safely())
        return self._looking

    def looked(self) -> list[str]:
        """What the look did that has just ended, also where it failed."""
        ended, self._looking = self.looking(), None
        return [] if ended.cancelled() else ended.result()

    async def give_up(self) -> list[str]:
        """End a look that is stuck, and say so; the next one goes on from what is found then."""
        look, took = self.looking(), self._ports.clock.monotonic() - self._begun
        if took < self.look_seconds or look.cancelling():
            return []
        look.cancel()
        self.failing = True
        await asyncio.wait({look}, timeout=CANCEL_SECONDS)
        if look.done():
            self._looking = None
        text = f"{self._service}: a look took {took:.0f} s and was given up; the next one goes on from there"
        return await self._page(self._service, STUCK, text) or [text]

    async def stop(self) -> None:
        """Look no more; what was half done is found by the next guard."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def _look_safely(self) -> list[str]:
        """The look, its failure as a sentence: no service ends the guard. What does not mend itself is told to a person."""
        try:
            said = await self.look()
        except Exception as cause:  # a bug too: the other services, and the next look at this one, must not die of it
            self.failing = True
            own = isinstance(cause, SerinusError)
            what = str(cause) if own else f"this is a bug in serinus: {type(cause).__name__}: {cause}"
            text = f"{self._service}: cannot be guarded now: {what}"
            lasted = self._failing.lasted(type(cause), self._ports.clock.monotonic())
            if lasted >= self._patience(cause):
                log.debug("%s: the look failed", self._service, exc_info=cause)
                return await self._page(self._service, UNGUARDED, text) or [text]
            return [text]
        self._failing, self.failing = Standing(), False
        self._paged -= {(self._service, UNGUARDED), (self._service, STUCK)}
        return said

    def _patience(self, cause: Exception) -> float:
        """How long it may stand before a person is told, in seconds."""
        if isinstance(cause, RollbackError):
            return 0.0
        stands = isinstance(cause, Refused) or not isinstance(cause, SerinusError)
        return self._timing.dead_seconds if stands else BLIND_SECONDS

    async def look(self) -> list[str]:
        """Look once; a sentence for each thing that was done.

        Raises:
            PlatformError: something could not be read or written; look again
        """
        ports, done = self._ports, list[str]()
        if await ports.router.project():
            done.append(f"{self._service}: the router did not serve what its route says; rendered again")
        # Mark and canary first: a live release has its record before its mark, so what is unowned here stays unowned.
        route, canary = await ports.router.read(), await self._canary()
        try:
            kept = await ports.ledger.read()
        except Refused as cause:
            return done + await self._unread(route, cause)
        self._unreadable = Standing()
        self.clean = kept is None and route.mark is None and canary is None
        if kept is not None and not kept.record.ended:
            return done + await self._live(kept, route)
        self._beat, self._mine = Standing(), None
        return done + await self._left(kept, route, canary)

    async def _canary(self) -> Side | PlatformError | None:
        """A weight goes back whether its canary can be read or not."""
        try:
            return await self._ports.workload.canary()
        except PlatformError as cause:
            return cause

    async def _live(self, kept: Kept, route: Route) -> list[str]:
        """A release that goes on: taken over and ended where its owner is silent."""
        record = kept.record
        if self._mine is not None and self._mine.record.owner == record.owner:
            return await self._end(self._mine, "its end was interrupted")
        why = self._silent(kept)
        if not why:
            return []
        if isinstance(record, Foreign):
            return await self._foreign(record, route, why)
        try:
            self._mine = await take_over(self._ports, kept, self._owner(), why, self._timing)
        except (Conflict, Fenced) as cause:
            log.info("%s: not taken over: %s", record.release, cause)
            self._beat = Standing()
            return []
        except Unavailable as cause:
            return await self._close_alone(record, why, cause)
        return [f"{record.release}: taken over, {why}", *await self._end(self._mine, why)]

    def _silent(self, kept: Kept) -> str:
        """Why its owner is known to be gone; empty while it may live."""
        record = kept.record
        if self._gone(record.owner):
            return "its engine's process is gone"
        silent = self._beat.lasted((record.owner, record.beat), self._ports.clock.monotonic())
        return f"no beat for {silent:.0f} s" if silent >= self._timing.dead_seconds else ""

    async def _end(self, engine: Engine, why: str) -> list[str]:
        try:
            conclusion = await end_orphan(engine, why)
        except Fenced as cause:
            self._mine = None
            return [f"{engine.release}: left to another: {cause}"]
        if conclusion is Conclusion.PAGE:
            text = f"{engine.release}: {why}; stable was changed and is not ready: a person is needed"
            return await self._page(engine.release, "stable changed", text)
        self._mine = None
        return [f"{engine.release}: ended, {engine.record.state} ({conclusion})"]

    async def _close_alone(self, record: Record, why: str, cause: Unavailable) -> list[str]:
        """A full disk takes no record, and yet the one write that returns the traffic: closing needs no owner."""
        text = f"{why}; its record cannot be written: {cause}"
        try:
            if not await close_once(self._ports.router, self._ports.clock, record.release, text):
                return [f"{record.release}: {text}; its route was closed"]
        except Drift as drift:
            raise cause from drift
        raise cause

    async def _foreign(self, record: Foreign, route: Route, why: str) -> list[str]:
        """Never resumed, promoted or undone."""
        what = f"its record has schema {record.schema}, which this guard does not know"
        return await self._blind(record.release, route, "schema", f"{why}; {what}")

    async def _unread(self, route: Route, cause: Refused) -> list[str]:
        """Nobody can tell whether its owner lives; one that does changes it, or returns the traffic by itself."""
        if self._unreadable.lasted(str(cause), self._ports.clock.monotonic()) < self._timing.dead_seconds:
            raise cause
        release = route.mark.release if route.mark else self._service
        return await self._blind(release, route, "record", f"its record cannot be read: {cause}")

    async def _blind(self, release: str, route: Route, need: str, why: str) -> list[str]:
        """The weight goes, a person is told: more cannot be done without its record."""
        done, text = list[str](), f"{release}: {why}"
        try:
            if await close_unowned(self._ports, release, route, why):
                done = [f"{release}: its route was closed, {why}"]
        except Drift as drift:
            text += f"; {drift}"
        return done + await self._page(release, need, text)

    async def _page(self, release: str, need: str, text: str) -> list[str]:
        """Tell a person, once for each thing that one is needed for."""
        if (release, need) in self._paged:
            return []
        if await page(self._ports, self._service, release, text):
            self._paged.add((release, need))
        return [text]

    async def _left(self, kept: Kept | None, route: Route, canary: Side | PlatformError | None) -> list[str]:
        """What a release that is over, or has no record, left behind: weight first, then mark, then canary."""
        ports, done = self._ports, list[str]()
        mark = route.mark
        if mark is not None:
            why = "no live release owns it"
            try:
                if await close_unowned(ports, mark.release, route, why):
                    done.append(f"{mark.release}: {route.weight} returned to stable, {why}")
            except Drift as drift:
                return await self._page(mark.release, "unowned", f"{mark.release}: {drift}, and {why}")
            done += await self._free(mark.release)
            if await unmark(ports, kept, mark.release):
                done.append(f"{mark.release}: its mark was taken off the route")
        if isinstance(canary, Side):
            done += await self._free(canary.release)
            await ports.workload.remove_canary(canary.release)
            done.append(f"{canary.release}: its canary was removed, no live release owns it")
        copied = await self._copy(kept)
        if isinstance(canary, PlatformError) and not done:
            raise canary
        return done + copied

    async def _free(self, release: str) -> list[str]:
        """Nothing but too many instances comes of what cannot be freed: it keeps no mark and no canary."""
        try:
            await self._ports.workload.free_stable(release)
        except (Refused, Conflict) as cause:
            return await self._page(release, "autoscaler", f"{release}: stable's autoscaler keeps its minimum: {cause}")
        return []

    async def _copy(self, kept: Kept | None) -> list[str]:
        """Evidence that an owner could not copy before it was gone; copying a line twice changes nothing."""
        record = kept.record if kept else None
        if isinstance(record, Record) and record.lines and self._copied != record.head.hash:
            try:
                await self._ports.ledger.append(record.release, record.lines)
            except PlatformError as cause:
                return [f"{record.release}: its evidence is not copied yet: {cause}"]
            self._copied = record.head.hash
        return []


async def look_at_all(guards: Mapping[str, Guard], at_most: float | None = None) -> list[str]:
    """One look at every service, at the same time; one that fails, takes long or is stuck keeps no other from it.

    Args:
        at_most: seconds after which a look that still goes on (a rollout is awaited) is left to the next call; None: when it is stuck
    """
    looks = {service: guard.looking() for service, guard in guards.items()}
    if looks:
        await asyncio.wait(
            looks.values(), timeout=max(guard.look_seconds for guard in guards.values()) if at_most is None else at_most
        )
    done: list[str] = []
    for service, look in looks.items():
        if not look.done():
            done += await guards[service].give_up()
            continue
        done += guards[service].looked()
    return done
