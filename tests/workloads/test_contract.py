"""What every workload promises; run over the fake, real processes behind a real Envoy, and a real Kubernetes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from serinus.errors import Conflict, Refused
from serinus.local.service import Service
from serinus.ports import Side, Workload
from serinus.release.record import Note
from serinus.settings import Folders
from serinus.workloads.local import LocalWorkload
from tests.cluster.access import Access
from tests.fakes import a_world
from tests.local.running import front
from tests.workloads.on_kubernetes import a_shop
from tests.world import Version

NOTE = Note("r-1", 1, "new")
SECONDS = 40.0


@dataclass(frozen=True)
class Bench:
    workload: Workload
    passing: Callable[[], Awaitable[object]]
    """A little time passes."""
    knows_versions: bool = True
    """Which there are; of images only their registry knows."""


@asynccontextmanager
async def fake() -> AsyncIterator[Bench]:
    world = a_world(versions={name: Version() for name in ("v1", "v2", "v3")}, replicas=2)
    yield Bench(world.workload, lambda: world.clock.sleep(0.1))


@asynccontextmanager
async def local(folders: Folders) -> AsyncIterator[Bench]:
    async with front(folders, Service("shop", "v1", 2)):
        yield Bench(LocalWorkload(folders, "shop"), lambda: asyncio.sleep(0.05))


@asynccontextmanager
async def kubernetes(space: Access) -> AsyncIterator[Bench]:
    async with a_shop(space) as shop:
        yield Bench(shop.workload, lambda: asyncio.sleep(0.1), knows_versions=False)


KINDS = ["fake", pytest.param("local", marks=pytest.mark.real), pytest.param("kubernetes", marks=pytest.mark.cluster)]


@pytest.fixture(params=KINDS)
async def bench(request: pytest.FixtureRequest, folders: Folders) -> AsyncIterator[Bench]:
    match request.param:
        case "fake":
            made = fake()
        case "local":
            made = local(folders)
        case _:
            made = kubernetes(request.getfixturevalue("space"))
    async with made as opened:
        yield opened


async def settled(bench: Bench, read: Callable[[], Awaitable[Side | None]]) -> Side:
    """The side once it is settled, and its pods are seen to be: a watch may tell of them a moment later."""
    async with asyncio.timeout(SECONDS):
        while True:
            side = await read()
            if side is not None and side.settled and len(side.pods) == side.ready == side.replicas:
                return side
            await bench.passing()


async def test_stable_is_as_it_was_started(bench: Bench) -> None:
    side = await settled(bench, bench.workload.stable)
    assert (side.version, side.replicas, side.ready, side.note, side.release) == ("v1", 2, 2, None, "")
    assert {pod.version for pod in side.pods} == {"v1"}
    assert await bench.workload.canary() is None


async def test_a_template_changes_the_version_alone(bench: Bench) -> None:
    stable = await bench.workload.stable()
    assert await bench.workload.template_for("v1", stable) == stable.template
    assert await bench.workload.template_for("v2", stable) != stable.template


async def test_a_version_that_does_not_exist_is_refused_with_those_that_do(bench: Bench) -> None:
    if not bench.knows_versions:
        pytest.skip("only a registry knows")
    with pytest.raises(Refused, match=r"no version '?v99'?; there are .*v1, v2"):
        await bench.workload.template_for("v99", await bench.workload.stable())


async def test_a_canary_comes_and_is_scaled_and_goes(bench: Bench) -> None:
    workload = bench.workload
    template = await workload.template_for("v2", await workload.stable())
    await workload.put_canary("r-1", template, 1)
    side = await settled(bench, workload.canary)
    assert (side.release, side.version, side.ready, side.template) == ("r-1", "v2", 1, template)
    await workload.put_canary("r-1", template, 2)
    assert (await settled(bench, workload.canary)).ready == 2
    await workload.put_canary("r-1", template, 0)
    assert (await settled(bench, workload.canary)).pods == ()
    await workload.remove_canary("r-1")
    assert await workload.canary() is None
    await workload.remove_canary("r-1")


async def test_putting_the_same_canary_twice_is_putting_it_once(bench: Bench) -> None:
    workload = bench.workload
    template = await workload.template_for("v2", await workload.stable())
    await workload.put_canary("r-1", template, 1)
    first = await settled(bench, workload.canary)
    await workload.put_canary("r-1", template, 1)
    again = await settled(bench, workload.canary)
    assert [pod.name for pod in again.pods] == [pod.name for pod in first.pods]


async def test_another_release_s_canary_is_left_alone(bench: Bench) -> None:
    workload = bench.workload
    template = await workload.template_for("v2", await workload.stable())
    await workload.put_canary("r-1", template, 1)
    with pytest.raises(Conflict, match="r-1"):
        await workload.put_canary("r-2", template, 1)
    await workload.remove_canary("r-2")
    side = await workload.canary()
    assert side is not None
    assert side.release == "r-1"


async def test_the_next_release_s_canary_follows_a_removed_one(bench: Bench) -> None:
    workload = bench.workload
    stable = await workload.stable()
    await workload.put_canary("r-1", await workload.template_for("v2", stable), 1)
    await workload.remove_canary("r-1")
    await workload.put_canary("r-2", await workload.template_for("v3", stable), 1)
    side = await settled(bench, workload.canary)
    assert (side.release, side.version, {pod.version for pod in side.pods}) == ("r-2", "v3", {"v3"})


async def test_stable_takes_template_and_note_at_once_and_rolls_out(bench: Bench) -> None:
    workload = bench.workload
    seen = await settled(bench, workload.stable)
    template = await workload.template_for("v2", seen)
    written = await workload.put_stable(template, NOTE, seen)
    assert (written.template, written.note, written.settled) == (template, NOTE, False)
    side = await settled(bench, workload.stable)
    assert (side.version, side.note, side.ready, side.replicas) == ("v2", NOTE, 2, 2)
    assert {pod.version for pod in side.pods} == {"v2"}


async def test_a_note_alone_starts_nothing_anew(bench: Bench) -> None:
    workload = bench.workload
    seen = await settled(bench, workload.stable)
    written = await workload.put_stable(seen.template, replace(NOTE, step="undone"), seen)
    assert written.revision != seen.revision
    side = await settled(bench, workload.stable)
    assert side.note == replace(NOTE, step="undone")
    assert [pod.name for pod in side.pods] == [pod.name for pod in seen.pods]


async def test_stable_is_written_on_what_was_seen_alone(bench: Bench) -> None:
    workload = bench.workload
    seen = await workload.stable()
    await workload.put_stable(seen.template, NOTE, seen)
    with pytest.raises(Conflict):
        await workload.put_stable(await workload.template_for("v2", seen), NOTE, seen)
    assert (await workload.stable()).version == "v1"


async def test_a_write_of_stable_whose_answer_was_lost_is_found_done(bench: Bench) -> None:
    workload = bench.workload
    seen = await workload.stable()
    template = await workload.template_for("v2", seen)
    written = await workload.put_stable(template, NOTE, seen)
    again = await workload.put_stable(template, NOTE, seen)
    assert (again.template, again.note, again.version) == (written.template, NOTE, "v2")
    with pytest.raises(Conflict):
        await workload.put_stable(template, replace(NOTE, token=NOTE.token + 1), seen)
