"""What every router promises: the fake, Envoy's files alone, a real Envoy; on Kubernetes Contour, the Gateway API, pods alone."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from serinus.errors import Conflict, Refused
from serinus.ports import Router
from serinus.release.count import MOST
from serinus.release.mark import Mark, Mode
from serinus.release.weight import EVERYTHING, NOTHING, Weight
from serinus.routers.envoy import EnvoyRouter, initial
from serinus.settings import Folders
from serinus.stores.revisions import Store
from serinus.stores.route import from_json, to_json
from tests.cluster.access import Access
from tests.fakes import a_world
from tests.routers.by_pods import had, lasting, some_pods
from tests.routers.on_kubernetes import FORMS, a_front, answerers
from tests.routers.running import an_envoy, until


@dataclass(frozen=True)
class Bench:
    router: Router
    edit: Callable[[Weight], object]
    """Somebody else changes the weight and leaves the mark."""
    share: Callable[[int], Awaitable[float]]
    """Which part of so many requests the canary answered."""
    seen: Callable[[], object]
    """All that people see of its object, but for what is counted and told there."""
    lose: Callable[[], object]
    """Somebody deletes its object."""
    had: Callable[[Weight], Weight] = lambda weight: weight
    """What a weight comes to."""
    most: Weight = EVERYTHING


def edit_on_disk(folders: Folders) -> Callable[[Weight], object]:
    store = Store(folders.service("shop") / "route")

    def edit(weight: Weight) -> int:
        number, content = store.read() or (0, b"")
        seen = from_json(content, str(number))
        return store.write(to_json(weight, seen.mark, seen.original), number)

    return edit


def stored(folders: Folders) -> tuple[Callable[[], object], Callable[[], object]]:
    """How the newest revision is seen, and how all of them are lost."""
    place = folders.service("shop") / "route"
    return lambda: (Store(place).read() or (0, b""))[1], lambda: shutil.rmtree(place)


async def unserved(requests: int) -> float:
    raise AssertionError("nothing serves here")


async def over(kind: str, folders: Folders) -> AsyncIterator[Bench]:
    if kind == "fake":
        world = a_world()

        async def share(requests: int) -> float:
            return world.serving.fraction

        def lose() -> None:
            world.router.edit(NOTHING, unmark=True)

        def seen() -> object:
            return (world.routes[-1].weight, world.routes[-1].mark) if world.routes else (NOTHING, None)

        yield Bench(world.router, lambda weight: world.router.edit(weight), share, seen, lose)
        return
    initial(folders, "shop")
    if kind == "files":
        router = EnvoyRouter(folders, "shop", None)
        yield Bench(router, edit_on_disk(folders), unserved, *stored(folders))
        await router.aclose()
        return
    async with an_envoy(folders, "shop") as envoy:
        router = EnvoyRouter(folders, "shop", envoy.admin)

        async def counted(requests: int) -> float:
            return (await envoy.ask(requests))["canary"] / requests

        yield Bench(router, edit_on_disk(folders), counted, *stored(folders))
        await router.aclose()


PODS = "replicas"
ON_KUBERNETES = [pytest.param(name, marks=pytest.mark.cluster) for name in (*FORMS, PODS)]


@asynccontextmanager
async def there(name: str, space: Access, *, running: bool = False) -> AsyncIterator[Bench]:
    """On Kubernetes.

    Args:
        running: both versions are there and answer
    """
    if name == PODS:
        async with some_pods(space, running=running) as pods:
            lose = partial(space.kubectl, "delete", "deployment", "shop-canary")
            seen = partial(as_people_see, pods.seen)
            yield Bench(pods.router, pods.edit, pods.share, seen, lose, had, MOST)
        return
    async with AsyncExitStack() as stack:
        if running:
            await stack.enter_async_context(answerers(space))
        front = await stack.enter_async_context(a_front(name, space))
        lose = partial(space.kubectl, "delete", front.form.kind, "front")
        yield Bench(front.router, front.edit, front.share, partial(as_people_see, front.seen), lose)


def as_people_see(read: Callable[[], dict[str, Any]]) -> object:
    return lasting(read())


@pytest.fixture(params=["fake", "files", pytest.param("envoy", marks=pytest.mark.real), *ON_KUBERNETES])
async def bench(request: pytest.FixtureRequest, folders: Folders) -> AsyncIterator[Bench]:
    if request.param in (*FORMS, PODS):
        async with there(request.param, request.getfixturevalue("space")) as made:
            yield made
        return
    async for made in over(request.param, folders):
        yield made


@pytest.fixture(params=["fake", pytest.param("envoy", marks=pytest.mark.real), *ON_KUBERNETES])
async def serving(request: pytest.FixtureRequest, folders: Folders) -> AsyncIterator[Bench]:
    if request.param in (*FORMS, PODS):
        request.getfixturevalue("own_cluster")  # its proxies must reach this very process
        async with there(request.param, request.getfixturevalue("space"), running=True) as made:
            yield made
        return
    async for made in over(request.param, folders):
        yield made


async def shares(serving: Bench, requests: int, part: float) -> bool:
    """The canary's part is as it should be, but for chance; a router takes up a moment before its proxies do."""
    far: float = 5.5 * (part * (1 - part) / requests) ** 0.5
    return abs(await serving.share(requests) - part) <= far


def a_mark(percent: float = 0, mode: Mode = Mode.OPEN, release: str = "r-1", token: int = 1, seq: int = 1) -> Mark:
    return Mark(release, token, seq, mode, Weight.of(percent), "because")


async def test_at_first_everything_goes_to_stable_and_no_release_has_it(bench: Bench) -> None:
    route = await bench.router.read()
    assert (route.weight, route.mark) == (NOTHING, None)
    assert route.original


@pytest.mark.parametrize("percent", [0, 0.01, 5, 33.33, 100])
async def test_weight_and_mark_are_read_back_as_written(bench: Bench, percent: float) -> None:
    before = await bench.router.read()
    if Weight.of(percent) > bench.most:
        with pytest.raises(Refused, match=f"{percent:g} % cannot be had .* {bench.most} is the most"):
            await bench.router.write(a_mark(percent), before)
        assert await bench.router.read() == before
        return
    written = await bench.router.write(a_mark(percent), before)
    assert await bench.router.read() == written
    assert (written.weight, written.mark) == (Weight.of(percent), a_mark(percent))
    assert written.version != before.version
    assert written.original == before.original


async def test_a_write_goes_on_what_was_read_alone(bench: Bench) -> None:
    before = await bench.router.read()
    written = await bench.router.write(a_mark(5), before)
    for late in (
        bench.router.write(a_mark(10, seq=2), before),
        bench.router.write(a_mark(5), before),
        bench.router.restore(before.original, before),
    ):
        with pytest.raises(Conflict):
            await late
    assert await bench.router.read() == written


async def test_an_identical_write_is_a_new_version(bench: Bench) -> None:
    first = await bench.router.write(a_mark(5), await bench.router.read())
    second = await bench.router.write(a_mark(5), first)
    assert second.version != first.version
    with pytest.raises(Conflict):
        await bench.router.write(a_mark(10, seq=2), first)


async def test_of_several_writers_one_wins(bench: Bench) -> None:
    seen = await bench.router.read()
    writes = [bench.router.write(a_mark(10 * n, token=n), seen) for n in range(1, 6)]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 4
    assert await bench.router.read() in outcomes


async def test_a_close_stands_against_a_raise_in_flight(bench: Bench) -> None:
    opened = await bench.router.write(a_mark(5), await bench.router.read())
    closed = await bench.router.write(a_mark(0, Mode.CLOSED, seq=2), opened)
    with pytest.raises(Conflict):
        await bench.router.write(a_mark(10, seq=2), opened)
    route = await bench.router.read()
    assert route == closed
    assert route.mark is not None
    assert (route.weight, route.mark.mode, route.mark.why) == (NOTHING, Mode.CLOSED, "because")


async def test_another_hand_is_seen_and_not_overwritten(bench: Bench) -> None:
    opened = await bench.router.write(a_mark(5), await bench.router.read())
    bench.edit(Weight.of(60))
    with pytest.raises(Conflict):
        await bench.router.write(a_mark(10, seq=2), opened)
    route = await bench.router.read()
    assert (route.weight, route.mark) == (Weight.of(60), a_mark(5))


async def test_restoring_takes_mark_and_weight_off_at_once(bench: Bench) -> None:
    before = await bench.router.read()
    opened = await bench.router.write(a_mark(5), before)
    restored = await bench.router.restore(opened.original, opened)
    assert await bench.router.read() == restored
    assert (restored.weight, restored.mark, restored.original) == (NOTHING, None, before.original)
    assert restored.version not in (opened.version, before.version)


async def test_rehearsing_a_close_and_projecting_change_nothing(bench: Bench) -> None:
    opened = await bench.router.write(a_mark(5), await bench.router.read())
    await bench.router.rehearse_close()
    assert not await bench.router.project()
    assert await bench.router.read() == opened


async def test_put_back_it_is_as_it_was(bench: Bench) -> None:
    before = bench.seen()
    route = await bench.router.write(a_mark(), await bench.router.read())
    route = await bench.router.write(a_mark(25, seq=2), route)
    assert bench.seen() != before
    await bench.router.restore(route.original, route)
    assert bench.seen() == before


async def test_once_its_object_is_gone_nothing_is_written_and_no_weight_is_told(bench: Bench) -> None:
    opened = await bench.router.write(a_mark(5), await bench.router.read())
    bench.lose()
    for late in (bench.router.write(a_mark(10, seq=2), opened), bench.router.restore(opened.original, opened)):
        with pytest.raises((Conflict, Refused)):
            await late
    with suppress(Refused):
        route = await bench.router.read()
        assert (route.weight, route.mark) == (NOTHING, None)


@pytest.mark.parametrize("percent", [5, 50, 100])
async def test_what_is_written_is_taken_up_and_served(serving: Bench, percent: float) -> None:
    if Weight.of(percent) > serving.most:
        pytest.skip("no such weight")
    written = await serving.router.write(a_mark(percent), await serving.router.read())
    await until(lambda: serving.router.taken_up(written), "the route is taken up")
    part = serving.had(Weight.of(percent)).fraction
    await until(lambda: shares(serving, 600, part), "the share that is served is the one written")
    closed = await serving.router.write(a_mark(0, Mode.CLOSED, seq=2), written)
    await until(lambda: serving.router.taken_up(closed), "the close is taken up")
    await until(lambda: shares(serving, 200, 0), "the canary is served nothing")
    assert not await serving.router.taken_up(written)
