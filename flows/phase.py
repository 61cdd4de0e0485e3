"""Watching: a phase, or the bake, is held and gated until the gate says what follows. Nothing else decides."""

from __future__ import annotations

from tasks.gate import gate
from tasks.hold import hold
from tasks.moved import Moved
from tasks.retry import handed


async def watch(what: str, before: Moved) -> Moved:
    """Hold and gate; where more is to be seen first, hold again.

    Args:
        what: for people: `5 %`, `bake`
        before: what led here; where the traffic is to be returned already, nothing is watched
    """
    moved = before
    while not moved.ends:
        moved = await handed(gate(what, await hold(what, moved)))
        if not moved.holds:
            break
    return moved
