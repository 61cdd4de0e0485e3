"""Is the workload still what is analysed and compared, or has somebody changed it? Pure: a sentence for a person.

What follows from it is the caller's: nothing that was not analysed is ever promoted.
"""

from __future__ import annotations

from collections.abc import Mapping

from serinus.ports import Side
from serinus.release.lifecycle import Action, Step
from serinus.release.record import Note, Record, State

NEW, UNDONE = "new", "undone"


def stable_changed(record: Record, stable: Side) -> str:
    """What somebody else made of stable: of the previous one, or of ours once the release has given it its own."""
    if record.state is State.BAKING or noted(record, stable.note):
        if runs_ours(record, stable):
            return _mounted("stable", record, stable)
        return _edited("stable", stable)
    if stable.template == record.previous.template:
        return ""
    # What is mounted is told apart from code once the canary is there, beside which it is compared.
    restarted = record.analysed is not None and stable.code == record.previous.code
    return _mounted("stable", record, stable) or ("" if restarted else _edited("stable", stable))


def canary_changed(record: Record, canary: Side | None) -> Action | None:
    """The canary is gone, or runs what was not analysed: the release is to end."""
    if canary is None or canary.release != record.release:
        return Action(Step.ROLL_BACK, "the canary workload is gone", "pods", "gone")
    if record.analysed is not None and canary.code != record.analysed.code:
        return Action(Step.ROLL_BACK, _edited("the canary", canary), "pods", "changed")
    return None


def noted(record: Record, note: Note | None) -> bool:
    """The release has given stable its template, and not put it back."""
    return note is not None and (note.release, note.step) == (record.release, NEW)


def runs_ours(record: Record, stable: Side) -> bool:
    """Stable's template is the one that was analysed; what is mounted may be another."""
    if record.analysed is None:
        return stable.version == record.plan.version
    return stable.code == record.analysed.code


def remounted(record: Record, stable: Side) -> tuple[str, ...]:
    """Names of what is mounted and holds something else than when the release began."""
    before: Mapping[str, str] = record.analysed.mounts if record.analysed else {}
    return tuple(sorted(name for name in before if stable.mounts.get(name, before[name]) != before[name]))


def _mounted(whose: str, record: Record, side: Side) -> str:
    """Changed in what it mounts alone."""
    names = remounted(record, side)
    return f"{', '.join(names)} of {whose} was changed by somebody during the release" if names else ""


def _edited(whose: str, side: Side) -> str:
    return f"{whose} was changed by {side.writer or 'somebody'} during the release: it is to run {side.version} now"
