"""The guard's look at one service: is a release silent, is a canary left that nobody owns? And what is done about it.

Runs elsewhere than the engine, again and again; two looks apart tell a silent owner from a living one, by this process' clock
alone. Moves and their order are those of every other caller.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from serinus.errors import Conflict, Drift, Fenced, PlatformError, SerinusError, Unavailable
from serinus.moves.close import close_once, page
from serinus.moves.engine import LOCAL, Engine, Timing
from serinus.moves.take_over import end_orphan, take_over
from serinus.ports import Kept, Ports, Route, Side
from serinus.release.mark import Mode
from serinus.release.orphan import Conclusion
from serinus.release.record import Foreign, Record
from serinus.release.weight import NOTHING

log = logging.getLogger("serinus.guard")
LOOK_SECONDS = 120.0
"""How long one look at one service may take: two rollouts are awaited in the longest. One that takes longer is stuck."""
CANCEL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Beat:
    """A beat as it was first seen, on the guard's own clock."""

    owner: str
    beat: int
    since: float


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
        self._seen: Beat | None = None
        self._mine: Engine | None = None
        self._copied = ""
        self._paged: set[tuple[str, str]] = set()
        self._looking: asyncio.Task[list[str]] | None = None
        self._begun = 0.0

    def looking(self) -> asyncio.Task[list[str]]:
        """The look that goes on, or a new one."""
        if self._looking is None:
            self._begun = self._ports.clock.monotonic()
            self._looking = asyncio.ensure_future(self.look())
        return self._looking

    def looked(self) -> list[str]:
        """What the look did that has just ended. Raises as `look`."""
        ended, self._looking = self.looking(), None
        return ended.result()

    async def give_up(self) -> list[str]:
        """End a look that is stuck, and say so; the next one goes on from what is found then."""
        look, took = self.looking(), self._ports.clock.monotonic() - self._begun
        if took < LOOK_SECONDS or look.cancelling():
            return []
        look.cancel()
        await asyncio.wait({look}, timeout=CANCEL_SECONDS)
        if look.done():
            self._looking = None
        return [f"{self._service}: a look took {took:.0f} s and was given up; the others go on"]

    async def stop(self) -> None:
        """Look no more; what was half done is found by the next guard."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def look(self) -> list[str]:
        """Look once; a sentence for each thing that was done.

        Raises:
            PlatformError: something could not be read or written; look again
        """
        ports, done = self._ports, list[str]()
        if await ports.router.project():
            done.append(f"{self._service}: the router did not serve what its route says; rendered again")
        # Mark and canary first: a live release has its record before its mark, so what is unowned here stays unowned.
        route, canary = await ports.router.read(), await ports.workload.canary()
        kept = await ports.ledger.read()
        if kept is not None and not kept.record.ended:
            return done + await self._live(kept, route)
        self._seen, self._mine = None, None
        return done + await self._left(kept, route, canary)

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
            self._seen = None
            return []
        except Unavailable as cause:
            return await self._close_alone(record, why, cause)
        return [f"{record.release}: taken over, {why}", *await self._end(self._mine, why)]

    def _silent(self, kept: Kept) -> str:
        """Why its owner is known to be gone; empty while it may live."""
        record, now = kept.record, self._ports.clock.monotonic()
        if self._gone(record.owner):
            return "its engine's process is gone"
        if self._seen is None or (self._seen.owner, self._seen.beat) != (record.owner, record.beat):
            self._seen = Beat(record.owner, record.beat, now)
            return ""
        silent = now - self._seen.since
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
        """Never resumed, promoted or undone: the weight goes, a person is told."""
        text = f"{record.release}: {why}; its record has schema {record.schema}, which this guard does not know"
        done = []
        try:
            if await self._close_unowned(record.release, route, text):
                done = [f"{record.release}: its route was closed, {why}"]
        except Drift as drift:
            text += f"; {drift}"
        return done + await self._page(record.release, "schema", text)

    async def _close_unowned(self, release: str, route: Route, why: str) -> bool:
        """The weight back to stable, where no record says how; False where nothing was left to do.

        Raises:
            Drift: stable is being changed and cannot serve yet: the canary serves until it can
        """
        ports, mark = self._ports, route.mark
        if mark is None or mark.release != release or mark.mode is not Mode.PROMOTING:
            return not await close_once(ports.router, ports.clock, release, why)
        if not (await ports.workload.stable()).settled:
            raise Drift("its canary serves on, stable is not ready")
        await ports.router.write(mark.then(Mode.CLOSED, NOTHING, why), route)
        return True

    async def _page(self, release: str, need: str, text: str) -> list[str]:
        """Tell a person, once for each thing that one is needed for."""
        if (release, need) in self._paged:
            return []
        if await page(self._ports, self._service, release, text):
            self._paged.add((release, need))
        return [text]

    async def _left(self, kept: Kept | None, route: Route, canary: Side | None) -> list[str]:
        """What a release that is over, or has no record, left behind: weight first, then mark, then canary."""
        ports, done = self._ports, list[str]()
        mark = route.mark
        if mark is not None:
            why = "no live release owns it"
            try:
                if await self._close_unowned(mark.release, route, why):
                    done.append(f"{mark.release}: {route.weight} returned to stable, {why}")
            except Drift as drift:
                return await self._page(mark.release, "unowned", f"{mark.release}: {drift}, and {why}")
            again = await ports.router.read()
            if again.mark is not None and again.mark.release == mark.release:
                await ports.router.restore(_original(kept, mark.release), again)
                done.append(f"{mark.release}: its mark was taken off the route")
        if canary is not None:
            await ports.workload.remove_canary(canary.release)
            done.append(f"{canary.release}: its canary was removed, no live release owns it")
        return done + await self._copy(kept)

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


def _original(kept: Kept | None, release: str) -> str:
    record = kept.record if kept else None
    if record is None or isinstance(record, Foreign) or record.release != release:
        return ""
    return record.previous.route


async def look_at_all(guards: Mapping[str, Guard], at_most: float | None = None) -> list[str]:
    """One look at every service, at the same time; one that fails, takes long or is stuck keeps no other from it.

    Args:
        at_most: seconds after which a look that still goes on (a rollout is awaited) is left to the next call; None: when it is stuck
    """
    looks = {service: guard.looking() for service, guard in guards.items()}
    if looks:
        await asyncio.wait(looks.values(), timeout=LOOK_SECONDS if at_most is None else at_most)
    done: list[str] = []
    for service, look in looks.items():
        if not look.done():
            done += await guards[service].give_up()
            continue
        try:
            done += guards[service].looked()
        except SerinusError as cause:
            done.append(f"{service}: cannot be guarded now: {cause}")
    return done
