"""What becomes of a release whose owner is gone: the taker's table, pure.

Whether an owner is gone is `moves.look`'s question; doing what is concluded is the moves'.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from serinus.release.mark import Mark, Mode
from serinus.release.record import Record, State


class Conclusion(StrEnum):
    """What a taker does."""

    ROLL_BACK = "roll back"
    """Stable is untouched: close, retire the canary."""
    UNDO = "undo"
    """Stable may have the new template: put the previous back, then roll back."""
    FORWARD = "forward"
    """Stable runs the new version wholly: the release is promoted."""
    PAGE = "page"
    """Nothing may be moved; a person is needed."""


@dataclass(frozen=True, slots=True)
class Stable:
    """What a taker sees of stable.

    Args:
        ours: the release's note `new` stands there and the template is the one it wrote
        noted: the release's note `new` stands there
        changed: the template is neither the previous one nor ours, or it has no instance, or is not there
        settled: its rollout is complete and every instance ready
    """

    ours: bool
    noted: bool
    changed: bool
    settled: bool


def conclude(record: Record, mark: Mark | None, stable: Stable) -> tuple[Conclusion, str]:
    """What a taker does, and the sentence that says why."""
    match record.state:
        case State.ROLLING_BACK:
            return Conclusion.ROLL_BACK, "its rollback had begun"
        case State.UNDOING:
            return Conclusion.UNDO, "its undo had begun"
        case State.STARTING | State.PHASE:
            if stable.changed and mark is not None and mark.weight.stable_points == 0 and not stable.settled:
                return Conclusion.PAGE, "stable was changed by somebody and is not ready; the canary serves all"
            return Conclusion.ROLL_BACK, _aborted(record) or f"its engine was gone in {_where(record)}"
    return _once_promoting(record, mark, stable)


def _once_promoting(record: Record, mark: Mark | None, stable: Stable) -> tuple[Conclusion, str]:
    replaced = mark is not None and mark.mode is Mode.REPLACED
    if aborted := _aborted(record):
        return Conclusion.UNDO, aborted
    if stable.ours and (replaced or stable.settled):
        return Conclusion.FORWARD, "stable runs the new version wholly; the bake was not watched to its end"
    if not stable.noted and not replaced:
        return Conclusion.UNDO, "its engine was gone before stable was changed"
    return Conclusion.UNDO, "its engine was gone while stable was being changed"


def _aborted(record: Record) -> str:
    """Who had asked for its end; empty where nobody had."""
    who = record.aborted_by
    return f"{who} had asked to abort it, and its engine was gone" if who else ""


def _where(record: Record) -> str:
    return "its start" if record.state is State.STARTING else f"mid-phase at {record.current.weight}"
