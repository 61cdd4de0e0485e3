"""A block that may take so long, also in a task that was cancelled: Debian 12's own Python lets `asyncio.timeout` fail there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from serinus.local.child import Command, Register, tail
from serinus.local.kept import Kept
from serinus.within import happens, within
from tests.local.running import until
from tests.local.test_child import DEAF

SOON = 0.02


async def for_ever() -> None:
    await asyncio.Event().wait()


async def late() -> str:
    try:
        async with within(SOON):
            await for_ever()
    except TimeoutError:
        return "late"
    return "done"


async def test_what_takes_longer_is_late() -> None:
    assert await late() == "late"


@pytest.mark.parametrize("seconds", [60.0, None])
async def test_what_does_not_is_done(seconds: float | None) -> None:
    async with within(seconds):
        assert await asyncio.to_thread(lambda: "done") == "done"


async def test_an_error_of_the_block_is_its_own() -> None:
    with pytest.raises(KeyError):
        async with within(60):
            raise KeyError
    with pytest.raises(TimeoutError, match="its own"):
        async with within(60):
            raise TimeoutError("its own")


@pytest.mark.parametrize("times", [1, 2])
async def test_who_was_cancelled_still_knows_what_is_late(times: int) -> None:
    said: list[str] = []
    begun = asyncio.Event()

    async def tidies_up() -> None:
        begun.set()
        try:
            await for_ever()
        except asyncio.CancelledError:
            said.append(await late())
            raise

    task = asyncio.create_task(tidies_up())
    await begun.wait()
    for _ in range(times):
        task.cancel()
    await asyncio.wait({task})
    assert (said, task.cancelled()) == (["late"], True)


async def test_an_event_is_waited_for_so_long_at_most() -> None:
    event = asyncio.Event()
    assert not await happens(event, SOON)
    asyncio.get_running_loop().call_later(SOON, event.set)
    assert await happens(event, 60.0)
    assert await happens(event, 0.0)  # it was before


async def test_a_cancel_in_the_block_is_a_cancel() -> None:
    """Also where it comes when the time is up."""

    async def waits() -> None:
        async with within(SOON):
            try:
                await for_ever()
            finally:
                task.cancel()
                await for_ever()

    task = asyncio.create_task(waits())
    await asyncio.wait({task})
    assert task.cancelled()


async def test_the_outer_one_may_be_late_while_the_inner_tidies_up() -> None:
    said: list[str] = []

    async def outer() -> None:
        async with within(SOON):
            try:
                await for_ever()
            finally:
                said.append(await late())

    with pytest.raises(TimeoutError):
        await outer()
    assert said == ["late"]


async def test_a_child_that_does_not_listen_is_killed_by_who_was_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serinus.local.kept.STOP_SECONDS", 0.1)
    kept = Kept(Command("deaf", DEAF, tmp_path / "log"), Register(tmp_path / "processes.json"), lambda _: None)
    running = asyncio.create_task(kept.run())
    await until(lambda: tail(tmp_path / "log") == "deaf", "it does not listen")
    assert kept.child is not None
    running.cancel()
    await asyncio.wait({running})
    assert not kept.child.identity.alive
