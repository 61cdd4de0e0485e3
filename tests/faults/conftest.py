"""The platform of all tests of faults: one, for the whole session; each test finds it ready and every service quiet."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from serinus.settings import Folders
from tests.faults.ground import Ground, Shop

SERVICES = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf")
DISK = "512m"
"""What the whole state may take where a disk of its own can be mounted."""


def mounted(place: Path, size: str) -> bool:
    """A file system of this size stands there now; needs root."""
    place.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", str(place)]
    return os.geteuid() == 0 and not subprocess.run(mount, capture_output=True, timeout=10, check=False).returncode


def unmounted(place: Path) -> None:
    """Taken away again, however busy a dying process keeps it."""
    subprocess.run(["umount", "-l", str(place)], check=True, timeout=10)


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the state lies: a disk that a test can fill, where one can be mounted."""
    place = tmp_path_factory.mktemp("faults")
    own = mounted(place, DISK)
    yield place
    if own:
        unmounted(place)


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
