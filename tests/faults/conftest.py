"""The platform of all tests of faults: one, for the whole session; each test finds it ready and every service quiet."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from serinus.settings import Folders
from serinus.stores.process import identity_of
from tests.faults.ground import Ground, Shop

SERVICES = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf")
SCENARIO_SECONDS = 180.0
PLACE = "serinus-faults-"
PRODUCTS = 2
"""Releases at a time that bring Prefect with them: two processors are kept busy by starting three."""
DISK = "512m"
"""What the whole state may take where a disk of its own can be mounted."""


def mounted(place: Path, size: str) -> bool:
    """A file system of this size stands there now; needs root."""
    place.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", str(place)]
    return os.geteuid() == 0 and not subprocess.run(mount, capture_output=True, timeout=10, check=False).returncode


def unmounted(place: Path) -> None:
    """Taken away again where it is one, however busy a dying process keeps it."""
    if place.is_mount():
        subprocess.run(["umount", "-l", str(place)], check=True, timeout=10)


@pytest.fixture(scope="session")
def disk() -> Iterator[Path]:
    """Where the state lies: a disk that a test can fill, where one can be mounted."""
    below = Path(tempfile.gettempdir())
    for left in below.glob(f"{PLACE}*"):
        if identity_of(int(left.name.removeprefix(PLACE))) is None:  # of a session that was killed
            unmounted(left)
            shutil.rmtree(left, ignore_errors=True)
    place = below / f"{PLACE}{os.getpid()}"
    mounted(place, DISK)
    yield place
    unmounted(place)
    shutil.rmtree(place)


@pytest.fixture(scope="session")
def standing(disk: Path) -> Iterator[Ground]:
    """`serinus local up`, with its guard, until the last test."""
    ground = Ground(Folders.at(disk / "state"), SERVICES)
    ground.begin()
    yield ground
    ground.down()


@pytest.fixture
async def platform(standing: Ground) -> Ground:
    """The platform, ready."""
    await standing.ready()
    return standing


@pytest.fixture
async def shops(platform: Ground) -> AsyncIterator[tuple[Shop, ...]]:
    """Every service, quiet; and quiet again after the test, its engines gone."""
    several = tuple(Shop(platform, name) for name in platform.services)
    yield several
    await asyncio.gather(*(shop.put_down() for shop in several))


@pytest.fixture
def shop(shops: tuple[Shop, ...]) -> Shop:
    return shops[0]


Scenario = Callable[[Shop], Awaitable[str]]
Played = Mapping[str, str | BaseException]
"""What came of each scenario: a sentence, or what was not as it should be."""


@pytest.fixture(scope="session")
def played(request: pytest.FixtureRequest, standing: Ground) -> Played:
    """Every scenario that a chosen test asks for, as many at a time as there are services."""
    asking = [item for item in request.session.items if isinstance(item, pytest.Function)]
    chosen: dict[str, Any] = {}
    for item in asking:
        if "played" in item.fixturenames:
            picked: Any = item.callspec.params["scenario"]
            chosen[picked[0]] = picked[1]
    return asyncio.run(play(standing, chosen))


async def play(ground: Ground, chosen: Mapping[str, Scenario]) -> Played:
    """All of them; one that fails keeps none from its end."""
    await ground.ready()
    await ground.deployed()
    free = asyncio.Queue[Shop]()
    for name in ground.services:
        free.put_nowait(Shop(ground, name))
    wide, narrow = asyncio.Semaphore(len(ground.services)), asyncio.Semaphore(PRODUCTS)

    async def one(name: str, scenario: Scenario) -> str | BaseException:
        async with narrow if "product" in name else wide:
            return await on_a_shop(free, scenario)

    came = await asyncio.gather(*(one(name, scenario) for name, scenario in chosen.items()))
    return dict(zip(chosen, came, strict=True))


async def on_a_shop(free: asyncio.Queue[Shop], scenario: Scenario) -> str | BaseException:
    """What came of it, on a service that is quiet before and after."""
    shop = await free.get()
    try:
        async with asyncio.timeout(SCENARIO_SECONDS):
            return await scenario(shop)
    except Exception as wrong:
        return wrong
    finally:
        await shop.put_down()
        free.put_nowait(shop)
