"""What the second Ctrl-C says of the release that it leaves, and with which code; over a world in memory."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from serinus.cli.exit_code import Code
from serinus.cli.interrupt import Interrupts
from serinus.cli.terminal import Terminal
from serinus.ports import Ports, Route
from serinus.release.plan import Plan
from serinus.release.record import Record
from serinus.release.weight import NOTHING, Weight
from tests.fakes import FakeWorld, Version, a_world
from tests.moves.driver import ports, release, until
from tests.release.builders import a_plan

LONG = a_plan(5, soak=1e6, duration=1e7)
BAKING = a_plan(100, soak=3, bake=1e6, duration=1e7)


def ours(record: Record) -> bool:
    return record.release == "r1"


async def left(world: FakeWorld, monkeypatch: pytest.MonkeyPatch, here: Ports | None = None) -> Code:
    """The second was pressed: how the process ends."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    await Interrupts(Terminal(), lambda text: None, here or ports(world), ours)._leave()
    return Code(codes[0])


@pytest.mark.parametrize(
    ("seconds", "plan", "code", "said"),
    [
        (3, LONG, Code.ROLLED_BACK, "nothing went to the canary; the guard"),
        (30, LONG, Code.ROLLED_BACK, "weight 0 was read back; the guard"),
        (60, BAKING, Code.UNRETURNED, "NOT returned: stable was given the new version; the guard puts the previous"),
    ],
    ids=["starting", "serving", "baking"],
)
async def test_what_is_left_is_told_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seconds: float,
    plan: Plan,
    code: Code,
    said: str,
) -> None:
    world = a_world(versions={"v1": Version(), "v2": Version(ready_after=20.0)})
    going = await until(world, seconds, release(world, plan))
    assert await left(world, monkeypatch) is code
    assert said in capsys.readouterr().err
    going.cancel()


async def test_stable_that_is_being_changed_is_not_said_to_be_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = a_world(versions={"v1": Version(), "v2": Version(ready_after=3.0)})
    going = await until(world, 3, release(world, BAKING))
    while not world.stable_puts:
        await world.clock.sleep(0.1)
    assert world.serving == Weight.of(100)
    assert await left(world, monkeypatch) is Code.UNRETURNED
    assert "NOT returned" in capsys.readouterr().err
    going.cancel()


@pytest.mark.parametrize(("errors", "code"), [(0.0, Code.DONE), (0.5, Code.ROLLED_BACK)])
async def test_one_that_has_ended_ends_as_its_record_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], errors: float, code: Code
) -> None:
    world = a_world(versions={"v1": Version(), "v2": Version(errors=errors)})
    record = await release(world, a_plan(100))
    assert record.outcome is not None
    assert await left(world, monkeypatch) is code
    assert f"it has ended: {record.outcome.why}" in capsys.readouterr().err


async def test_another_s_release_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world()
    going = await until(world, 30, release(world, LONG, name="r2"))
    assert await left(world, monkeypatch) is Code.REFUSED
    assert world.serving != NOTHING
    going.cancel()


async def test_one_that_ends_as_it_is_asked_ends_as_its_record_says(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world()
    going = await until(world, 3, release(world, a_plan(100, soak=3, bake=5)))
    read, ledger = world.router.read, world.ledger

    async def late() -> Route:
        """It is asked of the release that was live, and of the route once that has ended."""
        await asyncio.wait({going})
        return await read()

    assert not ledger.written[-1][1].ended
    router: Any = SimpleNamespace(read=late)
    here = replace(ports(world), router=router)
    assert await left(world, monkeypatch, here) is Code.DONE
