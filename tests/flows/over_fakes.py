"""Flows and tasks over a world in memory: everything is theirs but the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from serinus import wiring
from serinus.clock import Ticks
from serinus.ports import Ports
from serinus.release.plan import Plan
from serinus.settings import Folders
from tests.fakes import FakeWorld
from tests.release.builders import a_plan

Enter = Callable[..., AbstractAsyncContextManager[wiring.Run]]


def ports(world: FakeWorld) -> Ports:
    return Ports(
        world.router, world.workload, world.metrics, world.ledger, world.notifier, world.clock, Ticks(world.clock)
    )


def entering(world: FakeWorld, folders: Folders, plan: Plan | None = None) -> Enter:
    """`wiring.enter` into this world."""

    @asynccontextmanager
    async def enter(service: str, version: str, policy: Mapping[str, Any] | None = None) -> AsyncIterator[wiring.Run]:
        planned = plan or wiring.plan_of(service, version, policy)
        token = wiring._current.set(wiring.Run(planned, ports(world), folders, wiring.release_id(service)))
        try:
            yield wiring.current()
        finally:
            wiring._current.reset(token)

    return enter


def inside(world: FakeWorld, folders: Folders, plan: Plan | None = None) -> AbstractAsyncContextManager[wiring.Run]:
    """A run of the shop's release."""
    return entering(world, folders, plan or a_plan())("shop", "v2")
