"""Does a part come back when it dies, stay away while it is held, and end with whoever keeps it?"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from serinus.errors import Refused, Unavailable
from serinus.local.child import Command, registered
from serinus.local.cluster.cluster import HELD, PIDS, Cluster
from serinus.local.cluster.keeping import Keep, kept
from serinus.local.cluster.readiness import BAD_START_DEATHS, until
from serinus.stores.process import identity_of

SECONDS = 20.0


@pytest.fixture
def blank(tmp_path: Path) -> Cluster:
    """One that has no parts yet."""
    for name in (PIDS, HELD, "logs"):
        (tmp_path / name).mkdir()
    nowhere = tmp_path / "nothing"
    return Cluster(tmp_path, os.getpid(), "", nowhere, "", "", "", nowhere, nowhere)


@pytest.fixture
async def keep(blank: Cluster) -> AsyncIterator[Keep]:
    async with kept(blank.folder, lambda _: None) as keep:
        yield keep


def sleeping(blank: Cluster) -> Command:
    return Command("sleeper", ("sleep", "1000"), blank.log("sleeper"))


async def comes(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.01)


async def test_a_part_that_dies_is_started_again(blank: Cluster, keep: Keep) -> None:
    part = keep(sleeping(blank))
    await comes(lambda: blank.pid_of("sleeper") is not None)
    first = blank.pid_of("sleeper")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await comes(lambda: blank.pid_of("sleeper") not in (None, first))
    assert part.deaths == 1


async def test_a_part_that_is_held_does_not_run(blank: Cluster, keep: Keep) -> None:
    part = keep(sleeping(blank))
    await comes(lambda: blank.pid_of("sleeper") is not None)
    away = blank.without("sleeper")
    await asyncio.to_thread(away.__enter__)
    assert registered(blank.folder / "processes.json") == ()
    assert blank.parts() == ()
    await asyncio.to_thread(away.__exit__, None, None, None)
    assert blank.parts() == ("sleeper",)
    assert part.deaths == 0


async def test_a_part_that_is_frozen_goes_on_afterwards(blank: Cluster, keep: Keep) -> None:
    keep(sleeping(blank))
    await comes(lambda: blank.pid_of("sleeper") is not None)

    def state() -> str:
        return Path(f"/proc/{blank.pid_of('sleeper')}/stat").read_text().rsplit(")", 1)[1].split()[0]

    with blank.frozen("sleeper"):
        await comes(lambda: state() == "T")
    await comes(lambda: state() == "S")


async def test_no_part_is_left_when_they_are_not_kept_any_more(blank: Cluster) -> None:
    async with kept(blank.folder, lambda _: None) as keep:
        keep(sleeping(blank))
        await comes(lambda: blank.pid_of("sleeper") is not None)
        sleeper = identity_of(blank.pid_of("sleeper") or 0)
    assert sleeper is not None
    assert not sleeper.alive
    assert blank.parts() == ()


async def test_a_part_that_cannot_start_ends_the_wait_with_its_own_words(blank: Cluster, keep: Keep) -> None:
    part = keep(Command("broken", ("sh", "-c", "echo no such flag >&2; exit 3"), blank.log("broken")))

    async def never() -> bool:
        return False

    with pytest.raises(Unavailable, match="broken does not start: no such flag"):
        await until("broken", [part], never, lambda _: None)
    assert part.deaths >= BAD_START_DEATHS


def test_what_does_not_run_cannot_be_taken_away_or_frozen(blank: Cluster) -> None:
    for attempt in (blank.without, blank.frozen):
        with pytest.raises(Refused, match="etcd does not run in this cluster"), attempt("etcd"):
            pass
