"""Which process is started or taken away next, so that as many as wanted always serve? Pure: a Deployment's part.

Surge one, nobody unavailable. It starts nothing itself: that is `node`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

SURGE = 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """One arm as its store wants it.

    Args:
        template: canonical JSON
        version: of the template; for people and the catalogue
        revision: of the store
    """

    template: str
    version: str
    replicas: int
    revision: str


class Instance(Protocol):
    """What a decision needs to know of a process."""

    @property
    def name(self) -> str: ...
    @property
    def template(self) -> str: ...
    @property
    def serving(self) -> bool: ...
    @property
    def leaving(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Step:
    """What is done now.

    Args:
        start: so many of the wanted template
        leave: names of those that go
    """

    start: int
    leave: tuple[str, ...]


def next_step(wanted: Wanted, instances: Sequence[Instance]) -> Step:
    """The next step towards what is wanted.

    Args:
        instances: in the order of their start, those that are leaving among them
    """
    staying = [instance for instance in instances if not instance.leaving]
    new = [instance for instance in staying if instance.template == wanted.template]
    old = [instance for instance in staying if instance.template != wanted.template]
    room = wanted.replicas + SURGE - len(staying) if old else wanted.replicas
    start = max(0, min(wanted.replicas - len(new), room))
    youngest_first = new[::-1]
    surplus = sorted(youngest_first, key=lambda one: one.serving)[: max(0, len(new) - wanted.replicas)]
    return Step(start, tuple(instance.name for instance in _may_leave(wanted.replicas, staying, [*old, *surplus])))


def _may_leave(replicas: int, staying: Sequence[Instance], candidates: Sequence[Instance]) -> list[Instance]:
    """Of the candidates those that serve nobody, and as many of the others as are not needed."""
    idle = [instance for instance in candidates if not instance.serving]
    spare = max(0, sum(instance.serving for instance in staying) - replicas)
    return idle + [instance for instance in candidates if instance.serving][:spare]
