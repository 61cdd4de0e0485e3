"""Whose guards are open: those of services that appear, go, move elsewhere, or cannot be opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from serinus.cli.guard import _looks
from serinus.cli.terminal import Terminal
from serinus.errors import Refused, Unavailable
from serinus.ground import Ground
from serinus.guards import Guards, guarding
from serinus.moves.engine import Timing
from serinus.moves.look import Guard, look_at_all
from serinus.release.mark import Mark, Mode
from serinus.release.plan import Target
from serinus.release.weight import NOTHING, Weight
from serinus.wiring import LOCAL
from tests.fakes import FakeWorld, Fault, a_world
from tests.moves.driver import ports

ELSEWHERE = replace(LOCAL, router_options={"proxy": "front"})


@dataclass
class Namespace:
    """Services, each with a world of its own."""

    targets: dict[str, Target | None] = field(default_factory=lambda: {"shop": LOCAL})
    worlds: dict[str, FakeWorld] = field(default_factory=lambda: {"shop": a_world(), "till": a_world()})
    closed: list[str] = field(default_factory=list)
    away: bool = False

    async def found(self) -> Mapping[str, Target | None]:
        if self.away:
            raise Unavailable("no answer")
        return dict(self.targets)

    @asynccontextmanager
    async def opened(self, service: str, target: Target) -> AsyncIterator[Guard]:
        if service == "odd":
            raise Refused("its token cannot be sent")
        if service == "later":
            raise KeyError("route")
        yield Guard(ports(self.worlds[service]), service, lambda: "guard")
        self.closed.append(service)


@pytest.fixture
async def there() -> Namespace:
    return Namespace()


@pytest.fixture
async def guards(there: Namespace) -> AsyncIterator[Guards]:
    async with guarding(there.found, there.opened) as guards:
        yield guards


async def looked(guards: Guards) -> list[str]:
    watched, troubles = await guards.current()
    return troubles + await look_at_all(watched)


async def test_a_guard_stays_as_it_is_while_others_come_and_cannot_be_opened(there: Namespace, guards: Guards) -> None:
    before = (await guards.current())[0]["shop"]
    there.targets |= {"odd": LOCAL, "later": LOCAL, "till": LOCAL}
    watched, troubles = await guards.current()
    assert (watched["shop"] is before, set(watched)) == (True, {"shop", "till"}), "it remembers whom it has seen alive"
    assert troubles == [
        "odd: cannot be guarded: its token cannot be sent",
        "later: cannot be guarded: KeyError('route')",
    ]
    assert guards.known


async def test_a_service_without_a_record_is_looked_at_until_nothing_is_left_of_it(
    there: Namespace, guards: Guards
) -> None:
    world = there.worlds["shop"]
    await guards.current()
    await world.router.write(Mark("r1", 1, 1, Mode.OPEN, Weight.of(25)), await world.router.read())
    there.targets.clear()
    assert "r1: 25 % returned to stable, no live release owns it" in await looked(guards)
    assert (world.serving, there.closed) == (NOTHING, [])
    for _ in range(2):
        await looked(guards)
    assert (await guards.current(), there.closed) == (({}, []), ["shop"])


async def test_one_without_a_record_that_cannot_be_looked_at_is_let_go_once_a_person_knows(
    there: Namespace, guards: Guards
) -> None:
    world = there.worlds["shop"]
    await guards.current()
    world.inject(Fault.ROUTER_DOWN, 0, 1e9)
    there.targets.clear()
    while not world.notifier.told:
        await looked(guards)
        await world.clock.sleep(10.0)
    await looked(guards)
    assert (await guards.current(), there.closed) == (({}, []), ["shop"])


@dataclass
class Once:
    """`ground.Ground`, for a guard that looks twice."""

    there: Namespace
    timing = Timing(dead_seconds=0.2)
    every_seconds = 0.1

    def guards(self) -> AbstractAsyncContextManager[Guards]:
        return guarding(self.there.found, self.there.opened)


async def test_what_fails_at_one_service_costs_no_other_its_second_look(
    there: Namespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two looks tell silence from life."""
    there.targets |= {"odd": LOCAL, "till": LOCAL}
    there.worlds["shop"].inject(Fault.ROUTER_DOWN, 0, 1e9)
    with pytest.raises(Unavailable, match="odd: cannot be guarded: .*; shop: not guarded"):
        await _looks(Terminal(False), cast("Ground", Once(there)), asyncio.Event(), True, None)
    assert [call for _, call in there.worlds["till"].calls].count("ledger.read") == 2
    assert capsys.readouterr().out.count("shop: cannot be guarded now") == 2


async def test_where_its_objects_are_elsewhere_it_is_looked_at_there(there: Namespace, guards: Guards) -> None:
    before = (await guards.current())[0]["shop"]
    there.targets["shop"] = ELSEWHERE
    assert (await guards.current())[0]["shop"] is not before
    assert there.closed == ["shop"]


async def test_what_is_guarded_is_looked_at_also_where_nobody_says_what_there_is(
    there: Namespace, guards: Guards
) -> None:
    await guards.current()
    there.away = True
    watched, troubles = await guards.current()
    assert (set(watched), troubles) == ({"shop"}, ["cannot look for services: no answer"])
    assert not guards.known


async def test_where_its_record_cannot_be_read_any_more_it_is_guarded_where_it_was(
    there: Namespace, guards: Guards
) -> None:
    before = (await guards.current())[0]["shop"]
    there.targets |= {"shop": None, "till": None}
    watched, troubles = await guards.current()
    assert (watched["shop"] is before, set(watched)) == (True, {"shop"})
    assert troubles == ["till: cannot be guarded: its record does not say where its route is"]
