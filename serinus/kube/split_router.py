"""One service's route in an object that splits traffic by weighted backends: read, and written only as it was read.

Which object, where its backends stand and what its controller says of it is the vendor's file (`serinus.routers`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from serinus.errors import Conflict, Missing, PlatformError, Refused
from serinus.kube import canary_service
from serinus.kube.client import Kind, Kube, Selection
from serinus.kube.named import Routed
from serinus.kube.patch import Object, Operation, disowning
from serinus.kube.split import Split
from serinus.ports import Route
from serinus.release.mark import Mark, Mode
from serinus.release.weight import NOTHING

_TRIES = 3
_GONE = Route(NOTHING, None, "gone", gone=True)
_NO_DRY_RUN = "does not support dry run"
HEARD_SECONDS = 10.0
"""How long a controller may take to say something of an object that somebody has just written."""
HEAR_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Word:
    """What a controller says of an object.

    Args:
        seen: it speaks of the object as it stands now
        complaint: why it does not serve by it; empty where it does
    """

    seen: bool
    complaint: str = ""


class SplitRouter:
    """`ports.Router`.

    Args:
        kube: where the object is
        kind, name: of the object
        split: whose traffic, in which form
        word: reads its status
    """

    def __init__(self, kube: Kube, kind: Kind, name: str, split: Split, word: Callable[[Object], Word]) -> None:
        self._kube, self._kind, self._name = kube, kind, name
        self._split = split
        self._word = word
        self._last: Object | None = None
        """As it was last read or written: a write on it needs no read, and is refused by the server where it is old."""

    async def read(self) -> Route:
        self._last = await self._kube.find(self._kind, self._name)
        return self._split.route(self._last) if self._last else _GONE

    async def write(self, mark: Mark, seen: Route) -> Route:
        before = await self._as(seen)
        if mark.mode is Mode.OPEN and not self._split.names_canary(before):
            self._alone(before)
            await canary_service.routed(self._kube, self._split.canary)
        write = secrets.token_hex(4)
        return await self._apply(seen, lambda now: self._split.marking(now, mark, seen.original, write), write)

    async def restore(self, original: str, seen: Route) -> Route:
        restored = seen
        if seen.mark is not None:
            found = original or seen.original
            restored = await self._apply(seen, lambda now: self._split.restoring(now, found))
            await self._disown()
        elif not seen.gone:
            await self._as(seen)
        whose = seen.mark.release if seen.mark else ""
        await canary_service.remove(self._kube, self._split.canary, whose)
        return restored

    async def taken_up(self, route: Route) -> bool:
        """At weight 0 what its controller finds wrong with it is no matter: nothing of it reaches the canary."""
        now = await self._kube.find(self._kind, self._name)
        if now is None or route.gone:
            return now is None and route.gone
        word = self._word(now)
        if not word.seen or self._split.route(now).version != route.version:
            return False
        if word.complaint and route.weight != NOTHING:
            raise Refused(f"{self} is rejected: {word.complaint}")
        return True

    @property
    def selection(self) -> Selection:
        """The object, to be watched."""
        return Selection(self._kind, self._name)

    def knows(self, found: Object) -> bool:
        """Whether what is ours of an object is as it was last read or written here."""
        try:
            return self._last is not None and self._split.route(found).version == self._split.route(self._last).version
        except PlatformError:
            return False

    async def rehearse_close(self) -> None:
        now = await self._there()
        route = self._split.route(now)
        self._alone(now)
        if route.mark is None:
            self._content(self._word(now))
        mark = route.mark or Mark("rehearsal", 0, 0, Mode.OPEN, NOTHING)
        closed = Mark(mark.release, mark.token, mark.seq + 1, Mode.CLOSED, NOTHING, "rehearsal")
        operations = self._split.marking(now, closed, route.original, secrets.token_hex(4))
        try:
            await self._kube.patch(self._kind, self._name, operations, dry_run=True)
        except Conflict:
            pass  # somebody writes just now: the right to write is there, which is all that was asked
        except Refused as cause:
            if _NO_DRY_RUN not in str(cause):  # said by a webhook, long after the right was asked for
                raise
        if route.mark is None:
            await self._heard()

    async def _heard(self) -> None:
        """A controller has spoken of the object as it stands: else no weight is ever taken up, and none known to be taken back."""
        for _ in range(round(HEARD_SECONDS / HEAR_SECONDS)):
            word = self._word(await self._there())
            self._content(word)
            if word.seen:
                return
            await asyncio.sleep(HEAR_SECONDS)
        what = f"no controller has said anything of {self} as it stands"
        raise Refused(what, "name one that runs here, by its class or its parent, or see what keeps it from answering")

    def _content(self, word: Word) -> None:
        """Raises Refused: the controller rejects what a release would begin with."""
        if word.seen and word.complaint:
            raise Refused(f"{self} is rejected before any release of {self._split.service}: {word.complaint}")

    async def project(self) -> bool:
        """The object is what serves: there is no rendering of it to mend."""
        return False

    @property
    def routed(self) -> Routed:
        """The object, for who looks at it from elsewhere."""
        form = self._split.form
        return Routed(self._kind, self._name, f".spec.{form.rules}[].{form.backends}")

    def __str__(self) -> str:
        return f"{self._kind.name} {self._kube.namespace}/{self._name}"

    async def _get(self) -> Object:
        self._last = await self._kube.get(self._kind, self._name)
        return self._last

    async def _there(self) -> Object:
        """The object, of which the policy says that it is there."""
        try:
            return await self._get()
        except Missing as cause:
            raise Refused(cause.what, f"name yours in {self._split.form.key}, or create it") from cause

    async def _as(self, seen: Route) -> Object:
        """The object, still as it was seen."""
        for known in (self._last, None):
            now = known or await self._get()
            if self._split.route(now).version == seen.version:
                return now
        raise Conflict(f"{self} is not as it was read")

    async def _apply(self, seen: Route, made: Callable[[Object], list[Operation]], write: str = "") -> Route:
        """Its status and others' parts may move meanwhile: they are no reason to give up.

        Args:
            write: this very write's, where it has one: what stands between us and the server may have sent it twice, and got a Conflict
        """
        for _ in range(_TRIES):
            try:
                now = await self._as(seen)
            except Conflict:
                if self._last is not None and write and self._split.wrote(self._last, write):
                    return self._split.route(self._last)
                raise
            try:
                self._last = await self._kube.patch(self._kind, self._name, made(now))
                return self._split.route(self._last)
            except Conflict:
                self._last = None
        raise Conflict(f"{self} is written by others faster than it can be read")

    async def _disown(self) -> None:
        """Own no field any longer: whoever applies the object server-side would meet us in each that we have ever written."""
        with suppress(PlatformError):  # a courtesy: the route is as it was found all the same
            for _ in range(_TRIES):
                if not (left := disowning(self._last or await self._get())):
                    return
                try:
                    self._last = await self._kube.patch(self._kind, self._name, left)
                except Conflict:  # its controller has said something of what was just put back
                    self._last = None

    def _alone(self, now: Object) -> None:
        others = ", ".join(self._split.others(now))
        if others:
            stable = self._split.stable
            raise Refused(f"{self} splits between {stable} and {others}: give {stable} a rule of its own")
