"""What a person sees of a release at one moment.

Made of record and route alone; decides nothing, asks nobody (that is `follow`), draws nothing (that is `live`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any

from serinus.ports import Route
from serinus.release import held
from serinus.release.evidence import Line
from serinus.release.record import Record, State

WAITING = {
    State.STARTING: "the canary to get ready",
    State.PROMOTING: "stable's rollout of the new version",
    State.UNDOING: "stable's rollout of the previous version",
    State.ROLLING_BACK: "the canary to drain",
}
PATIENT_LOOKS = 5
"""The traffic is returned before anything is written: so many looks long a route at 0 % waits for the record to say why."""


@dataclass(frozen=True, slots=True)
class Count:
    """Requests of one arm, and how many of them failed."""

    requests: float = 0
    errors: float = 0

    @property
    def rate(self) -> float | None:
        """None where nothing was asked: that is not zero."""
        return self.errors / self.requests if self.requests else None

    def since(self, before: Count) -> Count:
        return Count(self.requests - before.requests, self.errors - before.errors)


@dataclass(frozen=True, slots=True)
class Glance:
    """One moment of a release.

    Args:
        phase: 1-based, of `phases`
        weight_percent: what the release wants now
        set_percent: what the route says; None where it cannot be read
        told_percent: the same as far as it is to be told: not 0 % for as long as the record may still say why
        looks_ahead: moments in a row in which the route says 0 % and the record does not yet
        taken_up: the router's own word that it serves by this route; None where it did not say
        share: the canary's part of the requests of `canary_now` and `stable_now`; None before the first, and once it has ended
        canary, stable: whole release
        canary_now, stable_now: since the phase's weight was set; where its start was not seen, since the release's
        whole: the latter
        soaked_seconds, soak_seconds: of this phase
        elapsed_seconds: since the release began; goes on where its record stands still, and never back
        left_seconds: if every check passes from now on
        silent_seconds: since its engine's last beat, once that is too long for one that lives; else 0
        waits_for: what has to come before the next step
        verdict, because: of this phase's last check, and its sentence; of a HOLD its reason's name first; empty before the first
        told_verdict: the verdict as far as it is to be told: not a HOLD that is over before two scrapes are
        checked_seconds, weighed_seconds: when that check was, and when the route was last given a weight, both since the release
            began; where the record does not say, when this moment was
        why: how it ended
    """

    service: str
    release: str
    version: str
    state: State
    phase: int
    phases: int
    weight_percent: float
    set_percent: float | None
    taken_up: bool | None
    share: float | None
    canary: Count
    stable: Count
    canary_now: Count
    stable_now: Count
    soaked_seconds: float
    soak_seconds: float
    elapsed_seconds: float
    left_seconds: float
    waits_for: str
    verdict: str = ""
    because: str = ""
    told_verdict: str = ""
    paused: bool = False
    late: bool = False
    run: str = ""
    why: str = ""
    told_percent: float | None = None
    looks_ahead: int = 0
    whole: bool = False
    silent_seconds: float = 0.0
    checked_seconds: float = 0.0
    weighed_seconds: float = 0.0

    @property
    def ended(self) -> bool:
        return self.state.ended

    @property
    def step(self) -> str:
        """Where it stands, in words: `phase 2 of 5, 10 %`."""
        if self.state is State.PHASE:
            return f"phase {self.phase} of {self.phases}, {self.weight_percent:g} %"
        return str(self.state)

    def as_json(self) -> dict[str, Any]:
        """For programs: the same figures, units in the names."""
        return {
            "service": self.service,
            "release": self.release,
            "version": self.version,
            "state": str(self.state),
            "phase": self.phase,
            "phases": self.phases,
            "weight": {"wanted": self.weight_percent, "set": self.set_percent, "taken_up": self.taken_up},
            "share": self.share,
            "share_since": "release" if self.whole else "phase",
            "requests": {"canary": self.canary.requests, "stable": self.stable.requests},
            "errors": {"canary": self.canary.errors, "stable": self.stable.errors},
            "error_rate": {"canary": self.canary_now.rate, "stable": self.stable_now.rate},
            "seconds": {"elapsed": self.elapsed_seconds, "soaked": self.soaked_seconds, "left": self.left_seconds},
            "silent_seconds": self.silent_seconds,
            "waits_for": self.waits_for,
            "paused": self.paused,
            "late": self.late,
            "run": self.run,
            "why": self.why,
        }


def glance(
    record: Record,
    route: Route | None,
    taken_up: bool | None,
    before: Glance | None = None,
    unwritten_seconds: float = 0.0,
    dead_seconds: float = inf,
) -> Glance:
    """This moment of a release.

    Args:
        unwritten_seconds: for how long the record has been seen as it is
        dead_seconds: an engine that lives writes it more often than that
        before: the moment before; what the record no longer holds (its last check, the phase's first counts) comes from there
    """
    if before and before.release != record.release:
        before = None
    same = before if before and (before.state, before.phase) == (record.state, record.phase + 1) else None
    totals = record.gate.totals
    canary = Count(totals.canary.requests, totals.canary.errors)
    stable = Count(totals.stable.requests, totals.stable.errors)
    canary_now = canary.since(_at_start(before, same, "canary"))
    stable_now = stable.since(_at_start(before, same, "stable"))
    line = next((line for line in reversed(record.lines) if line.kind == "check"), None)
    check = line.data if line else None
    elapsed = record.elapsed_seconds + (0.0 if record.state.ended else unwritten_seconds)
    elapsed = max(elapsed, before.elapsed_seconds if before else 0.0)
    looks_ahead = (before.looks_ahead if before else 0) + 1 if _ahead(record, route) else 0
    set_percent = route.weight.percent if route else None
    verdict = str(check.get("verdict", "")) if check else (same.verdict if same else "")
    silent = unwritten_seconds if unwritten_seconds >= dead_seconds and not record.state.ended else 0.0
    return Glance(
        service=record.plan.service,
        release=record.release,
        version=record.plan.version,
        state=record.state,
        phase=record.phase + 1,
        phases=len(record.plan.phases),
        weight_percent=record.current.weight.percent if record.state is State.PHASE else 0.0,
        set_percent=set_percent,
        taken_up=taken_up,
        share=None if record.state.ended else _share(canary_now, stable_now),
        canary=canary,
        stable=stable,
        canary_now=canary_now,
        stable_now=stable_now,
        soaked_seconds=record.soaked_seconds,
        soak_seconds=record.current.soak_seconds,
        elapsed_seconds=elapsed,
        left_seconds=left_seconds(record),
        waits_for=_ending(record, silent) or (_waits_for(record, check) if check or not same else same.waits_for),
        verdict=verdict,
        because=_because(check) if check else (same.because if same else ""),
        told_verdict=_told_verdict(record, verdict, same),
        paused=record.paused,
        late=record.late,
        run=record.run,
        why=record.outcome.why if record.outcome else "",
        told_percent=before.told_percent if before and 0 < looks_ahead < PATIENT_LOOKS else set_percent,
        looks_ahead=looks_ahead,
        whole=before is None if same is None else same.whole,
        silent_seconds=silent,
        checked_seconds=line.seconds if line else elapsed,
        weighed_seconds=_weighed(record, set_percent, elapsed),
    )


def unwritten(record: Record, last: Line, wall: str) -> float:
    """Seconds since the record was written, as far as the clocks of two machines agree: for people who look once.

    Args:
        last: any line of its evidence: it says when the release was how old
    """
    age = (datetime.fromisoformat(wall) - datetime.fromisoformat(last.at)).total_seconds()
    return max(age - (record.elapsed_seconds - last.seconds), 0.0)


def _told_verdict(record: Record, verdict: str, same: Glance | None) -> str:
    """This one; before a HOLD has lasted, and where the release ends for another reason, what was told before it."""
    ending = record.aborted_by or record.state in (State.UNDOING, State.ROLLING_BACK) or record.state.ended
    if verdict != "HOLD" or (held.told(record) and not ending):
        return verdict
    return same.told_verdict if same else ""


def _ahead(record: Record, route: Route | None) -> bool:
    """The traffic is back at stable, and the record does not say so."""
    return route is not None and not route.weight.percent and record.state is State.PHASE


def _at_start(before: Glance | None, same: Glance | None, arm: str) -> Count:
    """This arm's counts when the present phase began."""
    if before is None:
        return Count()
    whole: Count = getattr(before, arm)
    return whole.since(getattr(same, f"{arm}_now")) if same else whole


def _weighed(record: Record, percent: float | None, now: float) -> float:
    at, weight = record.tally.weights[-1] if record.tally.weights else (now, None)
    return at if weight == percent else now


def _because(check: Mapping[str, Any]) -> str:
    """Its sentence; a HOLD's rule is the reason's name, and has a deadline of its own."""
    why, rule = str(check.get("why", "")), str(check.get("rule", ""))
    return f"{rule}: {why}" if rule and check["verdict"] == "HOLD" else why


def _share(canary: Count, stable: Count) -> float | None:
    whole = canary.requests + stable.requests
    return canary.requests / whole if whole > 0 else None


def left_seconds(record: Record) -> float:
    """How long it takes if every check passes from now on; rollouts are not counted."""
    if record.state.ended or record.state in (State.UNDOING, State.ROLLING_BACK):
        return 0.0
    here = max(record.current.soak_seconds - record.soaked_seconds, 0.0)
    if record.state is State.BAKING:
        return here
    if record.state is State.PROMOTING:
        return record.plan.bake.soak_seconds
    later = record.plan.phases[record.phase + 1 :]
    return here + sum(phase.soak_seconds for phase in later) + record.plan.bake.soak_seconds


def _ending(record: Record, silent_seconds: float) -> str:
    """Whose turn it is where the engine is gone, or is to end it; empty while it goes its way."""
    if silent_seconds:
        guard = record.plan.target.typed("guard")
        return f"a guard: no beat for {silent_seconds:.0f} s, its engine is gone (`{guard}`, where none runs)"
    who = record.aborted_by
    return f"its engine to end it: {who} asked for an abort" if who else ""


def _waits_for(record: Record, check: Mapping[str, Any] | None) -> str:
    if record.state in WAITING:
        return WAITING[record.state]
    if record.state.ended:
        return ""
    if record.paused:
        return "a person: it is paused"
    if check and check["verdict"] != "PASS":
        return str(check["why"])
    left = record.current.soak_seconds - record.soaked_seconds
    return f"{left:.0f} s of the soak" if left > 0 else "a fresh check"
