"""A platform whose answers are wrong, as one release sees it: seeded, each call of each port by itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from serinus.clock import Ticks
from serinus.errors import Unavailable
from serinus.ports import Ports
from tests.clock import FakeClock
from tests.fakes import FakeWorld
from tests.moves.driver import ports

CALL_SECONDS = 3.0
WRITES = ("write", "restore", "put_canary", "remove_canary", "put_stable", "append")


class Way(StrEnum):
    """What becomes of a call."""

    BROKEN = "answers 500, nothing was done"
    LOST = "does it, and the answer is lost"
    LATE = "does it, and answers after the time-out"


@dataclass
class Storm:
    """One in so many answers is wrong.

    Args:
        ways: of being wrong, each as often
        read, write: how often: a question is asked again below the ports, a write is not
    """

    clock: FakeClock
    seed: int
    ways: Sequence[Way] = tuple(Way)
    read: float = 1 / 9
    write: float = 1 / 3
    wrong: int = 0
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    async def call(self, name: str, do: Callable[[], Any]) -> Any:
        """One call of a port."""
        if self.random.random() >= (self.write if name.endswith(WRITES) else self.read):
            return await do()
        self.wrong += 1
        way = self.random.choice(self.ways)
        if way is not Way.BROKEN:
            await do()
        if way is Way.LATE:
            await self.clock.sleep(CALL_SECONDS)
        raise Unavailable(f"{name}: {way}")


class In:
    """A port in a storm."""

    def __init__(self, name: str, port: Any, storm: Storm) -> None:
        self._name, self._port, self._storm = name, port, storm

    def __getattr__(self, method: str) -> Callable[..., Any]:
        there = getattr(self._port, method)

        async def called(*given: Any, **named: Any) -> Any:
            return await self._storm.call(f"{self._name}.{method}", lambda: there(*given, **named))

        return called


def through(world: FakeWorld, storm: Storm) -> Ports:
    """The world as it is seen in a storm; metrics and people are elsewhere."""
    clear = ports(world)
    router: Any = In("router", clear.router, storm)
    workload: Any = In("workload", clear.workload, storm)
    ledger: Any = In("ledger", clear.ledger, storm)
    return replace(clear, router=router, workload=workload, ledger=ledger, wake=Ticks(world.clock))
