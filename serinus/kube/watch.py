"""A few objects as they are, told by the API server without being asked: kept in memory as long as a watch lives.

What they mean is not known here. Where no watch lives `alive` says so, and whoever wants to know must read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from serinus.errors import PlatformError, Refused
from serinus.kube.client import Kube, Selection
from serinus.kube.errors import Gone
from serinus.kube.patch import Object

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 10.0
"""Between two tries to watch again; doubled each time."""
REFUSED_PAUSE_SECONDS = 300.0
"""A right that is missing stays so."""
log = logging.getLogger("serinus.watch")


class Watch:
    """One selection, watched from its first `start` on; end it with `aclose`.

    Args:
        kube: closed by whoever opened it, after this
        selection: of what
    """

    def __init__(self, kube: Kube, selection: Selection) -> None:
        self._kube = kube
        self._selection = selection
        self._objects: dict[str, Object] = {}
        self._told: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self.alive = False

    def start(self) -> None:
        """Begin, in the background; nothing where it has begun."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep())
            self._task.add_done_callback(self._ended)

    def tell(self, told: Callable[[], None]) -> None:
        """Call this at each change, and where the watch has died or lives again."""
        self._told.append(told)

    def find(self, name: str) -> Object | None:
        """One of them; None where it is not there."""
        return self._objects.get(name)

    def all(self) -> list[Object]:
        """All of them."""
        return list(self._objects.values())

    def wrote(self, written: Object) -> None:
        """An object as a write's answer has it: the watch tells of it a moment later."""
        if self._is_news(written):
            self._objects[_name(written)] = written

    def removed(self, name: str) -> None:
        """An object that is deleted: the watch tells of that a moment later."""
        self._objects.pop(name, None)

    async def aclose(self) -> None:
        """End it."""
        self.alive = False
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _keep(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                version = await self._list()
                pause = FIRST_PAUSE_SECONDS
                while True:
                    version = await self._follow(version)
                    await asyncio.sleep(FIRST_PAUSE_SECONDS)  # it may be a server that ends each at once
            except Gone:
                log.info("%s: listed anew", self._selection)
                await asyncio.sleep(FIRST_PAUSE_SECONDS)
            except PlatformError as cause:
                log.warning("not watched, read instead: %s", cause)
                self._lives(False)
                await asyncio.sleep(REFUSED_PAUSE_SECONDS if isinstance(cause, Refused) else pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Whatever ended it, it no longer knows how things are."""
        self._lives(False)
        if not task.cancelled():
            log.error("%s: not watched any more, read instead", self._selection, exc_info=task.exception())

    async def _list(self) -> str:
        version, found = await self._kube.listed(self._selection)
        self._objects = {_name(one): one for one in self._newest(found)}
        self._lives(True)
        return version

    def _newest(self, found: Iterable[Object]) -> list[Object]:
        return [one if self._is_news(one) else self._objects[_name(one)] for one in found]

    async def _follow(self, version: str) -> str:
        """Until the server ends it, as it does every few minutes; the version that was reached."""
        async for kind, about in self._kube.events(self._selection, version):
            version = str(about["metadata"]["resourceVersion"])
            if kind == "BOOKMARK" or not self._is_news(about):
                continue
            if kind == "DELETED":
                self._objects.pop(_name(about), None)
            else:
                self._objects[_name(about)] = about
            self._tell()
        return version

    def _is_news(self, about: Object) -> bool:
        """Not older than what is known: an answer may overtake the watch."""
        known = self._objects.get(_name(about))
        return (
            known is None or known["metadata"]["uid"] != about["metadata"]["uid"] or _version(about) > _version(known)
        )

    def _lives(self, alive: bool) -> None:
        self.alive = alive
        self._tell()

    def _tell(self) -> None:
        for told in self._told:
            told()


def _name(about: Object) -> str:
    return str(about["metadata"]["name"])


def _version(about: Object) -> int:
    """Versions of one kind of object grow: kubernetes.io, API concepts, "Resource versions"."""
    return int(about["metadata"]["resourceVersion"])
