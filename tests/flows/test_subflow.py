"""Nothing that holds a release waits for the server: a subflow that does not open is left out, and its moves are made once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from flows import subflow as module
from flows.subflow import Chapter, inside
from serinus.errors import Unavailable
from serinus.release.lifecycle import Action, Step
from serinus.settings import Folders
from tasks.acquire import acquire
from tasks.moved import Moved
from tasks.preflight import preflight
from tasks.retry import handed
from tests.fakes import FakeWorld, a_world
from tests.flows import over_fakes

BEFORE = Moved(Action(Step.ROLL_BACK, "why"))
AFTER = Moved(Action(Step.ROLL_BACK, "done"))


class Subflow:
    """What Prefect makes of a flow function, as the server lets it: at once, late, or never."""

    name = "rollback"

    def __init__(self, opens: Callable[[], Awaitable[None]]) -> None:
        self.opens = opens
        self.names: list[str] = []

    def __call__(self, name: str, before: Moved, chapter: Chapter, return_state: bool) -> Any:
        async def run() -> None:
            self.names.append(name)
            await self.opens()
            await chapter.make()

        return run()


class Moves:
    def __init__(self, until: asyncio.Event | None = None, error: Exception | None = None) -> None:
        self.made = 0
        self.left = 0
        self.until = until
        self.error = error

    async def __call__(self, before: Moved) -> Moved:
        self.made += 1
        try:
            if self.until:
                await self.until.wait()
        finally:
            self.left += 1
        if self.error:
            raise self.error
        return AFTER


async def at_once() -> None:
    return None


async def never() -> None:
    await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN_SECONDS", 0.1)
    monkeypatch.setattr(module, "LEAVE_SECONDS", 0.1)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)


async def through(world: FakeWorld, folders: Folders, subflow: Any, moves: Moves) -> tuple[Moved, list[str]]:
    """What came of it, and the evidence."""
    async with over_fakes.inside(world, folders) as run:
        await handed(acquire.fn("shop", await handed(preflight.fn("shop"))))
        after = await inside(subflow, moves, BEFORE, "error_rate 6 % > 1 % at 25 %")
        assert run.engine is not None
        return after, [line.text for line in run.engine.record.lines]


async def test_the_moves_are_made_inside(folders: Folders) -> None:
    subflow, moves = Subflow(at_once), Moves()
    after, lines = await through(a_world(), folders, subflow, moves)
    assert after is AFTER
    assert (moves.made, subflow.names) == (1, ["error_rate 6 % > 1 % at 25 %"])
    assert not [line for line in lines if '"gap"' in line]


async def test_a_subflow_that_never_opens_is_left_out_and_the_evidence_says_so(folders: Folders) -> None:
    moves = Moves()
    after, lines = await through(a_world(), folders, Subflow(never), moves)
    assert (after, moves.made) == (AFTER, 1)
    assert [line for line in lines if '"gap"' in line and "rollback" in line]


async def test_a_server_that_refuses_it_is_not_waited_for(folders: Folders) -> None:
    async def gone() -> None:
        raise ConnectionError("no server\nFor more information: elsewhere")

    moves = Moves()
    after, lines = await through(a_world(), folders, Subflow(gone), moves)
    assert (after, moves.made) == (AFTER, 1)
    [gap] = [line for line in lines if '"gap"' in line]
    assert "rollback (ConnectionError: no server): its moves were made beside it, only its history has a gap" in gap


async def test_a_subflow_that_opens_too_late_makes_nothing(folders: Folders) -> None:
    open_now = asyncio.Event()

    async def stubborn() -> None:
        while not open_now.is_set():
            try:
                await open_now.wait()
            except asyncio.CancelledError:  # Prefect tells the server first, shielded
                continue

    moves = Moves()
    after, _ = await through(a_world(), folders, Subflow(stubborn), moves)
    open_now.set()
    await asyncio.sleep(0.05)
    assert (after, moves.made) == (AFTER, 1)


async def test_a_subflow_that_opens_late_shows_how_its_moves_came_out(folders: Folders) -> None:
    """Its name and its end are on the page all the same; the moves went on beside it."""
    begun = asyncio.Event()
    shown: list[Moved] = []

    class Late(Subflow):
        def __call__(self, name: str, before: Moved, chapter: Chapter, return_state: bool) -> Any:
            async def run() -> None:
                await begun.wait()
                shown.append(await chapter.make())

            return run()

    class Slow(Moves):
        async def __call__(self, before: Moved) -> Moved:
            begun.set()
            await asyncio.sleep(0.02)
            return await super().__call__(before)

    moves = Slow()
    after, _ = await through(a_world(), folders, Late(at_once), moves)
    assert (after, moves.made, shown) == (AFTER, 1, [AFTER])


async def test_an_end_that_the_server_does_not_take_is_not_waited_for(folders: Folders) -> None:
    """The body is through, and Prefect hangs on the state: what follows may be an undo."""

    class Hangs(Subflow):
        def __call__(self, name: str, before: Moved, chapter: Chapter, return_state: bool) -> Any:
            async def run() -> None:
                await chapter.make()
                await never()

            return run()

    async with asyncio.timeout(5):
        after, _ = await through(a_world(), folders, Hangs(at_once), Moves())
    assert after is AFTER


async def test_what_the_moves_raise_is_raised(folders: Folders) -> None:
    with pytest.raises(Unavailable, match="late"):
        await through(a_world(), folders, Subflow(at_once), Moves(error=Unavailable("late")))


async def test_a_cancel_waits_until_the_moves_have_let_go(folders: Folders) -> None:
    """Two may not move the same traffic: the undo begins after the promotion has stopped."""
    moves = Moves(until=asyncio.Event())
    run = asyncio.create_task(through(a_world(), folders, Subflow(at_once), moves))
    while not moves.made:
        await asyncio.sleep(0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert moves.left == 1
