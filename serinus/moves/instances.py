"""How are the instances that are judged, and has somebody changed what is compared? Read once for each check.

What follows is the gate's. A side that cannot be read says nothing: the figures still judge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass

from serinus.analysis.verdict import Judgement, Outcome, Rule
from serinus.errors import Missing, PlatformError
from serinus.moves.changed import canary_changed, stable_changed
from serinus.ports import Pod, Side, Workload
from serinus.release.record import Record, State
from serinus.release.weight import EVERYTHING, NOTHING

TOLD = 3
"""Instances in trouble that are named; of more only the number is said."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Both workloads, as far as they could be read.

    Args:
        canary, stable: None where it is not there, or was not read
        troubles: of the instances that are judged: the canary's, or stable's own in the bake
        changed: what somebody has changed, judged
    """

    canary: Side | None
    stable: Side | None
    troubles: tuple[str, ...]
    changed: tuple[Judgement, ...]


async def instances(workload: Workload, record: Record) -> Seen:
    """Read both; in the bake there is no canary any more."""
    if record.state is State.BAKING:
        stable, there = await _read(workload.stable())
        return Seen(None, stable, troubles_of(stable.pods) if stable else (), _stable(record, stable, there))
    (canary, known), (stable, there) = await asyncio.gather(_read(workload.canary()), _read(workload.stable()))
    troubles, changed = _canary(record, canary) if known else ((), ())
    return Seen(canary, stable, troubles, (*changed, *_stable(record, stable, there)))


async def _read(side: Awaitable[Side | None]) -> tuple[Side | None, bool]:
    """The side, None where it is not there; and whether that is known."""
    try:
        return await side, True
    except Missing:
        return None, True
    except PlatformError:
        return None, False


def _canary(record: Record, canary: Side | None) -> tuple[tuple[str, ...], tuple[Judgement, ...]]:
    ended = canary_changed(record, canary)
    if canary is None or (ended and ended.rule == "gone"):
        return (ended.why if ended else "",), ()
    troubles = troubles_of(canary.pods)
    if not canary.replicas and record.current.weight != NOTHING:
        troubles = ("the canary was scaled to 0 by somebody", *troubles)
    return troubles, (Judgement(Outcome.ABORT, ended.gate, Rule.CHANGED, ended.why),) if ended else ()


def _stable(record: Record, stable: Side | None, known: bool) -> tuple[Judgement, ...]:
    """Where the canary has everything, it serves until stable can: the way back is only as good as stable is."""
    if known and (stable is None or not stable.replicas):
        what = "scaled to 0" if stable else "deleted"
        why = f"stable was {what} by somebody: nobody is there to return the traffic to, so it stays where it is"
        return (Judgement(Outcome.HOLD, "stable", Rule.CHANGED, why),)
    why = stable_changed(record, stable) if stable else ""
    if stable is None or not why:
        return ()
    if record.state is State.PHASE and record.current.weight == EVERYTHING and not stable.settled:
        why += f"; {ready(stable)}, so the canary serves until stable is wholly rolled out"
        return (Judgement(Outcome.HOLD, "stable", Rule.CHANGED, why),)
    return (Judgement(Outcome.ABORT, "stable", Rule.CHANGED, why),)


def ready(side: Side) -> str:
    """`1 of 3 ready`"""
    return f"{side.ready} of {side.replicas} ready"


def troubles_of(pods: Iterable[Pod]) -> tuple[str, ...]:
    """A sentence for each instance in trouble, with its last log line."""
    return tuple(
        f"{pod.name}: {pod.trouble}" + (f" ({pod.log.strip().splitlines()[-1]})" if pod.log.strip() else "")
        for pod in pods
        if pod.trouble
    )


def told(troubles: tuple[str, ...]) -> str:
    """As one sentence, however many they are."""
    more = len(troubles) - TOLD
    return "; ".join((*troubles[:TOLD], *([f"and {more} more"] if more > 0 else [])))
