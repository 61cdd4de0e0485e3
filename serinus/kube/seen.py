"""What is seen again and again is watched: the first look at an object reads it, and from the second on a watch shows it.

For deciding what is so now. Whoever writes over an object reads it from the server itself, or writes on condition that it still is what
was seen, and reads it where it is not.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from serinus.kube.client import Kind, Kube, Selection
from serinus.kube.patch import Object
from serinus.kube.watch import Watch


class Reader(Protocol):
    """Who shows objects: the server itself, or `Seen`."""

    async def find(self, kind: Kind, name: str) -> Object | None: ...

    async def get(self, kind: Kind, name: str) -> Object: ...

    async def select(self, kind: Kind, selector: str) -> list[Object]: ...


class Seen:
    """Objects of one namespace; end its watches with `aclose`.

    Args:
        kube: closed by whoever opened it, after this
    """

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._watches: dict[Selection, Watch] = {}

    async def find(self, kind: Kind, name: str) -> Object | None:
        """The object; None where there is none."""
        watch = self._again(Selection(kind, name))
        return watch.find(name) if watch else await self._kube.find(kind, name)

    async def get(self, kind: Kind, name: str) -> Object:
        """The object. Raises Missing where there is none."""
        return await self.find(kind, name) or await self._kube.get(kind, name)

    async def select(self, kind: Kind, selector: str) -> list[Object]:
        """Every object with these labels."""
        watch = self._again(Selection(kind, labels=selector))
        return watch.all() if watch else await self._kube.select(kind, selector)

    def wrote(self, kind: Kind, written: Object) -> None:
        """What a write of ours was answered with is seen at once."""
        watch = self._watches.get(Selection(kind, written["metadata"]["name"]))
        if watch:
            watch.wrote(written)

    def removed(self, kind: Kind, name: str) -> None:
        """What we have deleted is seen no more."""
        watch = self._watches.get(Selection(kind, name))
        if watch:
            watch.removed(name)

    async def aclose(self) -> None:
        """Watch no more."""
        await asyncio.gather(*(watch.aclose() for watch in self._watches.values()))

    def _again(self, selection: Selection) -> Watch | None:
        """The watch that shows it, where one lives; the second look starts one."""
        known = self._watches.get(selection)
        if known is None:
            self._watches[selection] = Watch(self._kube, selection)
            return None
        known.start()
        return known if known.alive else None
