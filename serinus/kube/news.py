"""What of a release does kubectl show: which moves are an Event on the stable Deployment, which labels say where it stands? Pure.

Made of two records, the one before a write and the one after it. Who sends them is `telling`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from serinus.kube.names import RELEASE, SERINUS, STATE, VERSION, WEIGHT, shortened
from serinus.kube.patch import Object
from serinus.release import held
from serinus.release.record import Record, State

LONGEST_NOTE = 1024
"""In bytes. Source: Kubernetes API reference, Event v1 events.k8s.io."""
REASONS = {
    State.PROMOTING: "Promoting",
    State.BAKING: "Baking",
    State.UNDOING: "Undoing",
    State.ROLLING_BACK: "RollingBack",
    State.PROMOTED: "Promoted",
    State.ROLLED_BACK: "RolledBack",
}
BACK = (State.UNDOING, State.ROLLING_BACK, State.ROLLED_BACK)


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that happened.

    Args:
        reason: in one word, as Events have it
        note: a sentence
        warning: a person should know
    """

    reason: str
    note: str
    warning: bool = False


def labels(record: Record, runs: str = "") -> dict[str, str]:
    """What `kubectl get -L` shows of it.

    Args:
        runs: the version of whoever bears them; empty: the release's own
    """
    return {
        RELEASE: shortened(record.release),
        STATE: record.state.replace(" ", "-"),
        WEIGHT: f"{_percent(record):g}",
        VERSION: shortened(runs or record.plan.version),
    }


def moves(before: Record | None, now: Record) -> Iterator[Move]:
    """What has happened between two writes of a service's record; nothing where only time has passed."""
    if before is None or before.release != now.release:
        if now.state is not State.STARTING:
            return
        yield Move("Started", f"release {now.release} of {now.plan.version} begins; stable runs {now.previous.version}")
        before = now
    if now.token > before.token:
        yield Move("TakenOver", f"{now.release} has another owner: {_said(now, before, 'gap', 'why')}", warning=True)
    if _percent(now) != _percent(before):
        yield Move("WeightSet", f"{_percent(now):g} % of the traffic to canary {now.plan.version}{_phase(now)}")
    if now.paused is not before.paused:
        yield Move("Paused" if now.paused else "Resumed", f"{now.release}: {_asked(now, before)}")
    for reason in sorted(held.told(now) - held.told(before)):
        yield Move("Held", f"{now.release} waits: {_said(now, before, 'check', 'why') or reason}", warning=True)
    if now.late and not before.late:
        yield Move("RollbackLate", f"{now.release}: the traffic could not be returned yet", warning=True)
    if now.state is not before.state and now.state in REASONS:
        yield Move(REASONS[now.state], _entered(now), warning=now.state in BACK)


def event(move: Move, record: Record, regarding: Object, instance: str, at: str) -> dict[str, Any]:
    """The Event's object. The same move of the same record has the same name, so it is there once.

    Args:
        regarding: the stable Deployment
        instance: who reports
        at: RFC 3339 with microseconds
    """
    metadata = regarding["metadata"]
    told = f"{record.release}/{record.head.n}/{move.reason}"
    name = f"{metadata['name'][:200]}.{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    return {
        "metadata": {"name": name},
        "eventTime": at,
        "reportingController": SERINUS,
        "reportingInstance": instance[:128] or SERINUS,
        "action": "Release",
        "reason": move.reason,
        "type": "Warning" if move.warning else "Normal",
        "note": _cut(move.note),
        "regarding": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
    }


def _percent(record: Record) -> float:
    return record.tally.weights[-1][1] if record.tally.weights else 0.0


def _phase(record: Record) -> str:
    if record.state is not State.PHASE or not _percent(record):
        return ""
    return f", phase {record.phase + 1} of {len(record.plan.phases)}"


def _entered(record: Record) -> str:
    outcome = record.outcome
    why = f": {outcome.why}" if outcome and outcome.why else ""
    match record.state:
        case State.PROMOTING:
            return f"stable is given {record.plan.version}"
        case State.BAKING:
            return f"stable serves {record.plan.version} alone, watched for {record.plan.bake.soak_seconds:g} s"
        case State.PROMOTED:
            return f"{record.release}: {record.plan.version} is stable{why}"
        case State.UNDOING:
            return f"stable is given {record.previous.version} back{why}"
        case State.ROLLED_BACK:
            return f"{record.release}: stable is {record.previous.version}{why}"
    return f"{record.release} is taken back{why}"


def _said(now: Record, before: Record, kind: str, key: str) -> str:
    """What the newest line of that kind says that was not there before."""
    fresh = (line for line in reversed(now.lines) if line.n > before.head.n and line.kind == kind)
    return next((str(line.data.get(key, "")) for line in fresh), "")


def _asked(now: Record, before: Record) -> str:
    asked: Mapping[str, Any] = next(
        (line.data for line in reversed(now.lines) if line.n > before.head.n and line.kind == "ask"), {}
    )
    who, why = asked.get("who", "somebody"), asked.get("why", "")
    return f"{'paused' if now.paused else 'resumed'} by {who}" + (f": {why}" if why else "")


def _cut(note: str) -> str:
    return note.encode()[:LONGEST_NOTE].decode(errors="ignore")
