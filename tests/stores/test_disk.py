"""A disk is waited for with a bound, and a cancel that comes together with its answer is a cancel all the same."""

from __future__ import annotations

import asyncio

import pytest

from serinus.stores.disk import bounded


@pytest.mark.parametrize("passes", range(8))
async def test_a_cancel_that_meets_the_answer_is_not_lost(passes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever cancels a release would wait for its end for ever."""
    answer = asyncio.get_running_loop().create_future()

    begun = asyncio.Event()

    async def in_a_thread(*_: object) -> object:
        begun.set()
        return await answer

    monkeypatch.setattr(asyncio, "to_thread", in_a_thread)
    asked = asyncio.create_task(bounded("a file", int))
    await begun.wait()
    answer.set_result(7)
    for _ in range(passes):
        await asyncio.sleep(0)
    if not asked.done():
        asked.cancel()
        await asyncio.wait({asked})
        assert asked.cancelled()
    else:
        assert asked.result() == 7
