"""A write of ours that is sent twice by what stands between us and the server: done, and answered as somebody else's."""

from __future__ import annotations

import copy
from typing import cast

import jsonpatch
import pytest

from serinus.errors import Conflict
from serinus.kube.client import Kind, Kube
from serinus.kube.patch import Object, Operation
from serinus.kube.split_router import SplitRouter, Word
from serinus.release.mark import Mode
from serinus.release.weight import NOTHING, Weight
from serinus.routers.contour import FORM
from tests.kube.test_split import a_mark, an_object, marked, of, patched

FRONT = Kind("", "v1", "fronts", "Front")


class Server:
    """One object, kept as an API server keeps it.

    Args:
        twice: every patch reaches it twice, and the second answer is told
    """

    def __init__(self, seen: Object, *, twice: bool = False) -> None:
        self.namespace = "n"
        self.seen = seen
        self.twice = twice
        self.others: list[Operation] = []

    async def find(self, kind: Kind, name: str) -> Object:
        return copy.deepcopy(self.seen)

    async def get(self, kind: Kind, name: str) -> Object:
        return await self.find(kind, name)

    async def patch(self, kind: Kind, name: str, operations: list[Operation]) -> Object:
        for _ in range(2 if self.twice else 1):
            try:
                self.seen = patched(self.seen, operations)
            except jsonpatch.JsonPatchTestFailed as cause:
                if self.others:
                    self.seen = patched(self.seen, self.others)
                raise Conflict("the object is not as it was read") from cause
        return copy.deepcopy(self.seen)


def routed(server: Server) -> SplitRouter:
    return SplitRouter(cast("Kube", server), FRONT, "front", of(FORM), lambda _: Word(True))


def a_server(**how: bool) -> Server:
    there = [{"name": "shop", "port": 80, "weight": 100}, {"name": "shop-canary", "port": 80, "weight": 0}]
    return Server(marked(of(FORM), an_object(FORM, there), a_mark(0, seq=1)), **how)


@pytest.mark.parametrize("mode", [Mode.OPEN, Mode.CLOSED])
async def test_it_is_known_again_and_is_no_conflict(mode: Mode) -> None:
    server = a_server(twice=True)
    router = routed(server)
    weight = Weight.of(25) if mode is Mode.OPEN else NOTHING
    written = await router.write(a_mark(weight.percent, mode, seq=2), await router.read())
    again = await router.read()
    assert (written.version, written.weight, written.mark) == (again.version, weight, again.mark)


async def test_what_somebody_else_wrote_stays_one() -> None:
    server = a_server()
    router = routed(server)
    seen = await router.read()
    server.seen = marked(of(FORM), server.seen, a_mark(0, Mode.CLOSED, seq=2))
    with pytest.raises(Conflict):
        await router.write(a_mark(25, seq=2), seen)
    assert (await router.read()).weight == NOTHING


async def test_a_close_that_came_after_ours_is_not_taken_for_it() -> None:
    server = a_server(twice=True)
    router = routed(server)
    seen = await router.read()
    text = marked(of(FORM), server.seen, a_mark(0, Mode.CLOSED, seq=3))["metadata"]["annotations"]["serinus.dev/shop"]
    server.others = [{"op": "replace", "path": "/metadata/annotations/serinus.dev~1shop", "value": text}]
    with pytest.raises(Conflict):
        await router.write(a_mark(25, seq=2), seen)
