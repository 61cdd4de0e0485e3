"""What every room's tests share: folders of their own, and a disk that is full."""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from serinus.settings import Folders
from tests.cluster import fixtures
from tests.cluster.fixtures import cluster, own_cluster, space
from tests.flows.servers import bare, prefect_server

__all__ = ["bare", "cluster", "own_cluster", "prefect_server", "space"]

# The same examples every time, on machines of any speed: a test that fails here fails everywhere.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


SERVERS = ("standing", "platform", "prefect_server", "bare")
"""Fixtures that start servers once for several files."""
LONG = ("tests/kube/test_faults_one_release.py", *SERVERS, "tests/kube/test_job.py", "tests/kube/test_parts_fail.py")
"""Groups of tests that take minutes, the longest first: whatever begins last ends last."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported stays until the end: no worker looks for garbage in it, again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on the same servers go to one worker, one after the other; each worker would start servers of its own."""
    for item in items:
        if isinstance(item, pytest.Function) and "cluster" in item.fixturenames:
            item.add_marker(pytest.mark.cluster)
        if item.get_closest_marker("cluster"):
            item.add_marker(pytest.mark.real)
        if isinstance(item, pytest.Function) and item.get_closest_marker("real"):
            shared = next((name for name in SERVERS if name in item.fixturenames), item.location[0])
            item.add_marker(pytest.mark.xdist_group(shared))
    items.sort(key=_when)


def _when(item: pytest.Item) -> int:
    """Where its group comes; the order of the files is kept otherwise."""
    marked = item.get_closest_marker("xdist_group")
    return LONG.index(marked.args[0]) if marked and marked.args[0] in LONG else len(LONG)


def pytest_collection_finish(session: pytest.Session) -> None:
    _grouped(session)
    if any(item.get_closest_marker("cluster") for item in session.items):
        fixtures.enter(session.config)


def _grouped(session: pytest.Session) -> None:
    """pytest-xdist groups by a suffix of the id; where a pytest leaves that out, each worker starts everything."""
    if getattr(session.config.option, "loadgroup", False):
        marked = [item for item in session.items if item.get_closest_marker("xdist_group")]
        if any("@" not in item.nodeid for item in marked):
            raise pytest.UsageError(f"pytest {pytest.__version__} and this pytest-xdist do not keep groups together")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A state folder of this test's own."""
    return Folders.at(tmp_path / "state")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB, which a test can fill; skipped where none can be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=777", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, timeout=10, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True, timeout=10)


def fill(disk: Path) -> Path:
    """Take every block that is left; the file that holds them."""
    hog = disk / "hog"
    with hog.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return hog
