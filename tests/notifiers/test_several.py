"""All channels are told, whatever becomes of one of them."""

from __future__ import annotations

import asyncio

import pytest

from serinus.errors import Unavailable
from serinus.notifiers.several import SeveralNotifiers
from serinus.ports import Notice
from tests.notifiers.notices import a_notice


class Channel:
    """Keeps what it was told; raises where it should; waits for `gate` where there is one."""

    def __init__(self, error: Exception | None = None, gate: asyncio.Event | None = None) -> None:
        self.told: list[Notice] = []
        self.error = error
        self.gate = gate

    async def tell(self, notice: Notice) -> None:
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        self.told.append(notice)


async def test_one_that_fails_stops_no_other_and_is_named() -> None:
    broken, defect, good = Channel(Unavailable("webhook https://a answered 500")), Channel(KeyError("x")), Channel()
    with pytest.raises(Unavailable, match="2 of 3 channels were not told: webhook https://a answered 500; 'x'"):
        await SeveralNotifiers(broken, defect, good).tell(a_notice())
    assert good.told == [a_notice()]


async def test_a_slow_one_keeps_no_other_waiting() -> None:
    gate = asyncio.Event()
    slow, good = Channel(gate=gate), Channel()
    telling = asyncio.create_task(SeveralNotifiers(slow, good).tell(a_notice()))
    for _ in range(5):
        await asyncio.sleep(0)
    assert good.told == [a_notice()]
    assert not telling.done()
    gate.set()
    await telling
    assert slow.told == [a_notice()]


async def test_none_at_all_is_fine() -> None:
    await SeveralNotifiers().tell(a_notice())
