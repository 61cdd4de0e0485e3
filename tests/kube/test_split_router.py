"""A write of ours that is sent twice by what stands between us and the server: done, and answered as somebody else's."""

from __future__ import annotations

import copy
from typing import cast

import jsonpatch
import pytest

from serinus.errors import Conflict, Refused
from serinus.kube import names
from serinus.kube.client import DEPLOYMENT, SERVICE, Kind, Kube
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

    async def patch(self, kind: Kind, name: str, operations: list[Operation], dry_run: bool = False) -> Object:
        if dry_run:
            return patched(self.seen, operations)
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


async def test_a_route_that_no_controller_speaks_of_is_fit_for_no_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serinus.kube.split_router.HEARD_SECONDS", 0.6)
    server = Server(an_object(FORM, [{"name": "shop", "port": 80}]))
    asked = 0

    def word(found: Object) -> Word:
        nonlocal asked
        asked += 1
        return Word(asked > 2)

    await SplitRouter(cast("Kube", server), FRONT, "front", of(FORM), word).rehearse_close()
    silent = SplitRouter(cast("Kube", server), FRONT, "front", of(FORM), lambda _: Word(False))
    with pytest.raises(Refused, match="no controller has said anything of .* as it stands"):
        await silent.rehearse_close()
    words = iter((Word(False), Word(False), Word(True, "two of them claim it")))
    rejected = SplitRouter(cast("Kube", server), FRONT, "front", of(FORM), lambda _: next(words))
    with pytest.raises(Refused, match="two of them claim it"):
        await rejected.rehearse_close()


class Beside(Server):
    """The same, and a canary's Service with or without its Deployment."""

    def __init__(self, seen: Object, release: str, *, canary: bool) -> None:
        super().__init__(seen)
        metadata = {"name": "shop-canary", "uid": "s", "annotations": {names.RELEASE: release, names.ROUTED: "true"}}
        self.there = {SERVICE: {"metadata": metadata, "spec": {"selector": {names.CANARY: "shop-canary"}}}}
        if canary:
            self.there[DEPLOYMENT] = {"metadata": {"name": "shop-canary", "annotations": {names.RELEASE: release}}}

    async def find(self, kind: Kind, name: str) -> Object:
        if kind in (SERVICE, DEPLOYMENT):
            return cast("Object", self.there.get(kind) if name == "shop-canary" else None)
        return await super().find(kind, name)

    async def delete(self, kind: Kind, name: str, uid: str) -> None:
        del self.there[kind]


@pytest.mark.parametrize("marked_by", ["r-1", ""])
@pytest.mark.parametrize(
    ("release", "canary", "stays"),
    [("r-1", False, False), ("r-0", False, False), ("r-2", True, True)],
    ids=["its own", "left over", "the next one's"],
)
async def test_with_the_route_goes_its_canary_s_service_and_never_the_next_release_s(
    marked_by: str, release: str, canary: bool, stays: bool
) -> None:
    there = an_object(FORM, [{"name": "shop", "port": 80, "weight": 100}])
    seen = marked(of(FORM), there, a_mark(0, Mode.CLOSED, release=marked_by)) if marked_by else there
    server = Beside(seen, release, canary=canary)
    router = routed(server)
    await router.restore("", await router.read())
    assert (SERVICE in server.there) is stays


async def test_the_service_of_the_release_whose_mark_goes_is_taken_away_before_its_canary() -> None:
    """A guard does so: the weight first, then the mark, then the canary."""
    seen = marked(of(FORM), an_object(FORM, [{"name": "shop", "port": 80}]), a_mark(0, Mode.CLOSED))
    server = Beside(seen, "r-1", canary=True)
    router = routed(server)
    await router.restore("", await router.read())
    assert SERVICE not in server.there
