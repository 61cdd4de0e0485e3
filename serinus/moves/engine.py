"""What one process holds of one release: its ports, and the record as it last wrote it.

Owns the rules of every write to the record (own beat, precondition, fencing). Decides nothing and moves no traffic.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

from serinus.analysis.verdict import Verdict
from serinus.errors import Conflict, Fenced, PlatformError, Unavailable, Unrecorded
from serinus.ports import Kept, Ports, Route
from serinus.release.lifecycle import asked
from serinus.release.mark import Mode
from serinus.release.plan import Plan
from serinus.release.record import Ask, Foreign, Record, Verb
from serinus.release.weight import NOTHING, Weight

log = logging.getLogger("serinus.engine")


@dataclass(frozen=True, slots=True)
class Timing:
    """How fast holders and guards act; a platform's, never a policy's, and never scaled.

    Args:
        tick_seconds: between two looks at inbox and mark, and at whatever is waited for
        look_seconds: inbox and mark are looked at so often even where a watch says that nobody wrote them
        beat_seconds: between two beats
        dead_seconds: D: a record silent for so long has lost its owner
        again_seconds: between two tries to return traffic
        ready_seconds: how long an instance may take to get ready
        drain_seconds, drain_at_most_seconds: how long no canary request must be seen, and how long that is waited for
        copy_seconds: evidence is copied at least so often
    """

    tick_seconds: float = 0.25
    look_seconds: float = 0.0
    beat_seconds: float = 1.0
    dead_seconds: float = 5.0
    again_seconds: float = 1.0
    ready_seconds: float = 30.0
    drain_seconds: float = 2.0
    drain_at_most_seconds: float = 5.0
    copy_seconds: float = 60.0


LOCAL = Timing()
KUBERNETES = Timing(
    tick_seconds=1.0,
    look_seconds=15.0,
    beat_seconds=7.5,
    dead_seconds=25.0,
    ready_seconds=600.0,
    drain_seconds=10.0,
    drain_at_most_seconds=30.0,
)
"""Of an API server whose every write is kept by others too: see the protocol's times."""
COPY_BYTES = 16 * 1024
HOLD_BYTES = 64 * 1024
ROLL_BACK_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class Closed:
    """The traffic is with stable.

    Args:
        why: one sentence
        seconds: from the verdict to weight 0 read back
        tries: how often it was tried
        already: somebody had closed it before
        at: wall time, for people
    """

    why: str
    seconds: float
    tries: int
    already: bool
    at: str


class Engine:
    """One process' hold on one release.

    Args:
        ports: the world
        kept: the record as acquired or taken over: this owner's
        timing: of the platform
    """

    def __init__(self, ports: Ports, kept: Kept, timing: Timing = LOCAL) -> None:
        if isinstance(kept.record, Foreign):
            raise Fenced(f"release {kept.record.release} has schema {kept.record.schema}: written by another version")
        self.ports = ports
        self.timing = timing
        self._kept = kept
        self._record = kept.record
        self._began = ports.clock.monotonic() - kept.record.elapsed_seconds
        self.acknowledged = ports.clock.monotonic()
        self.copied = ports.clock.monotonic()
        self.closed: Closed | None = None
        self.closed_seconds: float | None = (
            None  # since `starting`: when weight 0 was read back, however late that is written down
        )
        self.last_check = ports.clock.monotonic()
        self.watching = self.last_check
        """Since when checks are due: what came before the hold, such as a drain, may have taken as long as it liked."""
        self.entered: int | None = None
        """The phase whose weight was written, taken up and recorded by this process."""
        self.verdict: Verdict | None = None
        # Whatever else was heard stands there no more: what does was asked before there was an engine to hear it.
        self._heard = frozenset(ask.id for ask in kept.record.inbox if ask.verb is Verb.ABORT)
        self._woken = True
        self._looked = ports.clock.monotonic()

    @property
    def record(self) -> Record:
        return self._record

    @property
    def plan(self) -> Plan:
        return self._record.plan

    @property
    def release(self) -> str:
        return self._record.release

    def now(self) -> float:
        """Seconds since `starting`."""
        return self.ports.clock.monotonic() - self._began

    def say(self, kind: str, record: Record | None = None, /, **data: Any) -> Record:
        """The record with one more line of evidence; not written yet."""
        return (record or self._record).say(self.ports.clock.wall(), self.now(), kind, **data)

    async def write(self, record: Record) -> Record:
        """Write the record, on the version last seen; a beat. One of our own whose answer was lost is known again.

        Nothing is written over the end of a release: then the record is what ended it.

        Raises:
            Fenced: somebody else owns it now
            Unavailable: not written, as far as can be known
        """
        wanted = replace(record, beat=self._record.beat + 1, elapsed_seconds=self.now())
        seen = self._kept.version
        for _ in range(8):
            sent = self.ports.clock.monotonic()
            try:
                return self._accept(await self.ports.ledger.write(wanted, seen), sent)
            except Conflict:
                kept, theirs = await self._read()
                self._woken = True  # somebody asks something, or wants to
                if _same(theirs, wanted) or (theirs.ended and not self._record.ended):
                    return self._accept(kept, sent)
                beat = max(wanted.beat, theirs.beat + 1)  # an earlier one of ours may have landed: this one says more
                wanted = replace(wanted, beat=beat, inbox=_with(wanted.inbox, self._unheard(theirs)))
                seen = kept.version  # of this call alone: what is asked there must be met again where this one fails
            except Unavailable as cause:
                landed = await self._landed(wanted, cause)
                if landed is None:
                    raise
                return self._accept(landed, sent)
        raise Unavailable(f"the record of {self.plan.service} is written by others faster than it can be read")

    async def _landed(self, wanted: Record, cause: Unavailable) -> Kept | None:
        """The record where a write that was not answered stands there: a lost answer costs one read, and no beat."""
        try:
            kept, theirs = await self._read()
        except PlatformError as further:
            log.debug("%s: whether it was written is not known: %s, %s", self.release, cause, further)
            return None
        return kept if _same(theirs, wanted) else None

    async def _read(self) -> tuple[Kept, Record]:
        """The record as it stands, still ours; else Fenced, or Unrecorded."""
        kept = await self.ports.ledger.read()
        if kept is None:
            raise Unrecorded(f"the record of {self.plan.service} is gone: somebody removed it")
        theirs = kept.record
        if isinstance(theirs, Foreign) or theirs.owner != self._record.owner or theirs.token != self._record.token:
            raise Fenced(
                f"{theirs.release} of {self.plan.service} is held by {theirs.owner} (token {theirs.token}) now"
            )
        return kept, theirs

    def _accept(self, kept: Kept, sent: float) -> Record:
        """The record as it is known to stand there, since it was sent at the earliest."""
        if isinstance(kept.record, Foreign):
            raise Fenced("the record was read back with another schema")
        self._kept = kept
        self._record = kept.record
        self.acknowledged = sent
        return kept.record

    def _unheard(self, theirs: Record) -> tuple[Ask, ...]:
        return tuple(ask for ask in theirs.inbox if ask.id not in self._heard)

    async def listen(self) -> Record:
        """Read the record; what was newly asked in its inbox is taken in, with a line of evidence each."""
        _, theirs = await self._read()
        new = self._unheard(theirs)
        if new:
            heard = replace(self._record, inbox=_with(self._record.inbox, new))
            for ask in new:
                heard = self.say("ask", heard, verb=ask.verb, who=ask.who, why=ask.why, claimed=not ask.verified)
            await self.write(asked(heard))
            self._heard |= {ask.id for ask in new}  # not before: what could not be written is heard again
        return self._record

    @property
    def woken(self) -> bool:
        """Somebody else may have written record or route since the last look, as far as can be known without one."""
        return self._woken

    @property
    def must_look(self) -> bool:
        """The mark may have been written by others since the last look, or that was long ago."""
        return self._woken or self.ports.clock.monotonic() - self._looked >= self.timing.look_seconds

    def looked(self) -> None:
        """Both have been read."""
        self._woken = False
        self._looked = self.ports.clock.monotonic()

    async def rest(self, seconds: float) -> None:
        """Sleep so long at most: until a beat is due, or others may have written."""
        timing = self.timing
        beat = timing.beat_seconds - self.silent_seconds
        woken = await self.ports.wake.wait(min(seconds, max(beat, timing.tick_seconds)), timing.tick_seconds)
        self._woken = woken or self._woken

    def remember(self, record: Record) -> None:
        """Keep a record that is to be written later: where the traffic comes first."""
        self._record = record

    def weigh(self, route: Route) -> None:
        """Remember the weight that the route was read with, as long as our mark lets it serve: the next write of the record has it."""
        mark, weights = route.mark, self._record.tally.weights
        if mark is None or mark.release != self.release or mark.mode not in (Mode.OPEN, Mode.PROMOTING):
            return
        if route.weight.percent != (weights[-1][1] if weights else NOTHING.percent):
            self.weighed(route.weight)

    def weighed(self, weight: Weight) -> None:
        """Remember a change of weight, now."""
        tally = self._record.tally
        weights = (*tally.weights, (round(self.now(), 3), weight.percent))
        self.remember(replace(self._record, tally=replace(tally, weights=weights)))

    async def beat(self) -> None:
        """Say that this owner lives, where it is due; whose release is over says nothing."""
        if self._record.ended:
            return
        if self.ports.clock.monotonic() - self.acknowledged >= self.timing.beat_seconds:
            await self.write(self._record)

    async def copy(self, *, now: bool = False) -> None:
        """Copy the record's lines to the evidence where that is due; the next write of the record drops them."""
        lines = self._record.lines
        size = sum(len(line.text) for line in lines)
        since = self.ports.clock.monotonic() - self.copied
        if not lines or not (now or size >= COPY_BYTES or since >= self.timing.copy_seconds):
            return
        try:
            await self.ports.ledger.append(self.release, lines)
        except PlatformError as cause:
            log.warning("%s: evidence not copied, kept in the record: %s", self.release, cause)
            return
        self.copied = self.ports.clock.monotonic()
        self._record = replace(self._record, lines=())

    @property
    def lines_bytes(self) -> int:
        """How much evidence waits to be copied."""
        return sum(len(line.text) for line in self._record.lines)

    @property
    def silent_seconds(self) -> float:
        """Since the last write of the record that was acknowledged: at `dead_seconds` others may take over."""
        return self.ports.clock.monotonic() - self.acknowledged


def _with(inbox: tuple[Ask, ...], more: tuple[Ask, ...]) -> tuple[Ask, ...]:
    """Each ask once."""
    there = {ask.id for ask in inbox}
    return (*inbox, *(ask for ask in more if ask.id not in there))


def _same(theirs: Record, wanted: Record) -> bool:
    """Nothing but what others may have asked meanwhile sets them apart."""
    return replace(theirs, inbox=()) == replace(wanted, inbox=())
