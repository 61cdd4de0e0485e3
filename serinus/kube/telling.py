"""Who tells kubectl's users of a release? Events on the stable Deployment, labels on it and on the canary; beside the release.

Best effort and bounded: nothing of a release waits for it or fails by it, and what could not be told is only logged. What is worth
telling is `news`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime

from serinus.errors import Conflict, Missing, PlatformError
from serinus.kube import names, news
from serinus.kube.canary import release_of
from serinus.kube.client import DEPLOYMENT, Kind, Kube
from serinus.kube.patch import Object, Operation, at_version, pointer, put
from serinus.kube.seen import Seen
from serinus.kube.template import version
from serinus.release.record import Record
from serinus.within import within

EVENT = Kind("events.k8s.io", "v1", "events", "Event")
WAITING = 32
"""Moves that wait to be told; with more the oldest are not told any more."""
LAST_SECONDS = 5.0
"""How long an end waits for what is still to be told."""
_TRIES = 3
log = logging.getLogger("serinus.kubectl")


class Telling:
    """What kubectl shows of one service's releases.

    Args:
        kube, seen: closed by whoever opened them, after this
        deployment: the stable one
        container: that runs the service; empty: the only one
    """

    def __init__(self, kube: Kube, seen: Seen, deployment: str, container: str = "") -> None:
        self._kube = kube
        self._seen = seen
        self._deployment = deployment
        self._container = container
        self._due: deque[tuple[tuple[news.Move, ...], Record]] = deque(maxlen=WAITING)
        self._sending: asyncio.Task[None] | None = None

    def tell(self, before: Record | None, now: Record) -> None:
        """Note what has happened between two writes of the record; it is sent when there is time."""
        moved = tuple(news.moves(before, now))
        if not moved:
            return
        self._due.append((moved, now))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def aclose(self) -> None:
        """What is due is sent, for as long as an end may wait."""
        if self._sending is not None:
            with suppress(TimeoutError):
                async with within(LAST_SECONDS):
                    await self._sending

    async def _send(self) -> None:
        while self._due:
            moved, record = self._due.popleft()
            try:
                stable = await self._seen.get(DEPLOYMENT, self._deployment)
                for move in moved:
                    await self._event(move, record, stable)
                await self._labels(stable, record)
                canary = await self._seen.find(DEPLOYMENT, names.canary_name(self._deployment))
                if canary and release_of(canary) == record.release and names.FOUND not in _said(canary):
                    await self._labels(canary, record)
            except PlatformError as cause:
                log.warning("%s: not shown to kubectl: %s", record.release, cause)

    async def _event(self, move: news.Move, record: Record, stable: Object) -> None:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        with suppress(Conflict):  # told already, by this process or by the one before
            await self._kube.create(EVENT, news.event(move, record, stable, socket.gethostname(), at))

    async def _labels(self, found: Object, record: Record) -> None:
        """Unless something newer is written there: a process that slept must not show what was."""
        for _ in range(_TRIES):
            if not _newer(found, record):
                return
            name = found["metadata"]["name"]
            wanted = news.labels(record, version(found["spec"]["template"]["spec"], self._container))
            try:
                written = await self._kube.patch(DEPLOYMENT, name, _written(found, wanted, record))
            except Conflict:
                found = await self._kube.get(DEPLOYMENT, name)
                continue
            except Missing:
                return  # gone since it was seen
            self._seen.wrote(DEPLOYMENT, written)
            return


def _said(found: Object) -> dict[str, str]:
    return found["metadata"].get("annotations") or {}


def _newer(found: Object, record: Record) -> bool:
    """Whether this record is newer than the one that was shown: tokens never fall, and beats grow under one."""
    token, _, beat = _said(found).get(names.SHOWN, "").partition("/")
    return not (token.isdigit() and beat.isdigit()) or (int(token), int(beat)) < (record.token, record.beat)


def _written(found: Object, wanted: dict[str, str], record: Record) -> list[Operation]:
    places = {"labels": wanted, "annotations": {names.SHOWN: f"{record.token}/{record.beat}"}}
    changed = [at_version(found)]
    for place, entries in places.items():
        if not found["metadata"].get(place):
            changed.append(put(pointer("metadata", place), entries))
        else:
            changed += [put(pointer("metadata", place, key), value) for key, value in entries.items()]
    return changed
