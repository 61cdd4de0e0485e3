"""The record: the durable state of a release, beside the traffic. It says who acts and what is wanted.

Who may write it, and in which order, is `serinus.moves`; what follows from it is `lifecycle`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from serinus.analysis.state import GateState
from serinus.release.evidence import Head, Line, following
from serinus.release.plan import Phase, Plan, Target

SCHEMA = 1


class State(StrEnum):
    """What the release is about; waiting, paused and late are flags beside it."""

    STARTING = "starting"
    PHASE = "phase"
    PROMOTING = "promoting"
    BAKING = "baking"
    UNDOING = "undoing"
    ROLLING_BACK = "rolling back"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"

    @property
    def ended(self) -> bool:
        return self in (State.PROMOTED, State.ROLLED_BACK)


class Verb(StrEnum):
    """What anybody may ask of a release."""

    ABORT = "abort"
    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE = "promote"


@dataclass(frozen=True, slots=True)
class Ask:
    """One entry of the inbox.

    Args:
        id: random, so that asking twice is asking once
        despite_gate: `promote` also from HOLD or FAIL
        verified: the platform vouches for `who`; else it is a claim
    """

    id: str
    verb: Verb
    who: str
    why: str = ""
    despite_gate: bool = False
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """On the stable workload, written together with its template.

    Args:
        step: `new` (it has the release's template) or `undone` (it was put back)
    """

    release: str
    token: int
    step: str


@dataclass(frozen=True, slots=True)
class Previous:
    """What a rollback puts back.

    Args:
        template: stable's, as the workload describes it: opaque here
        version: for people
        replicas: of stable
        route: the route's part as it was found: opaque here
        code: as `Side.code` had it; empty where an older version wrote this
    """

    template: str
    version: str
    replicas: int
    route: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Analysed:
    """Of what the canary was made: nothing else is analysed, so nothing else is promoted.

    Args:
        code: as `Side.code` had it when the canary was made
        mounts: as `Side.mounts` had it then
    """

    code: str
    mounts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended.

    Args:
        why: one sentence
        gate, rule: what decided a rollback; empty for a promotion
        weight_percent: the canary's weight when it was decided
        verdict_to_stable_seconds: from the verdict to weight 0 read back; None where nothing had to be returned
    """

    why: str
    gate: str = ""
    rule: str = ""
    weight_percent: float = 0.0
    verdict_to_stable_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted over the whole release, for people and the summary.

    Args:
        canary, stable, failed_on_canary: requests
        weights: (n_changes, 2): seconds since `starting`, percent
    """

    canary: float = 0
    stable: float = 0
    failed_on_canary: float = 0
    weights: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """Schema, release, token, owner, beat and ended never change their form; the rest may with the schema.

    Args:
        release: id of this attempt
        token: 1 + the highest ever seen at this service; grows at every acquire and take-over
        owner: random, new at every acquire and take-over
        beat: grows with every write of the owner
        state, phase: where it stands; `phase` indexes `plan.phases`
        previous: what a rollback puts back
        analysed: of what the canary was made; None before it was
        elapsed_seconds: since `starting`, at the last write
        soaked_seconds: of this phase: time under PASS
        phase_seconds: since this phase's weight was seen, at the last write
        held: since when each HOLD reason stands, in seconds since `starting`
        gate: what the gate remembers
        lines: evidence not yet copied
        head: the chain's last line, copied or not
        inbox: what was asked and not yet done
        paused, promote_asked, late: flags
        run: where a person can watch it (address of the Prefect run), empty where there is none
        key: what started it, so that the same start is the same release
    """

    release: str
    token: int
    owner: str
    plan: Plan
    previous: Previous
    beat: int = 1
    ended: bool = False
    schema: int = SCHEMA
    state: State = State.STARTING
    phase: int = 0
    elapsed_seconds: float = 0.0
    soaked_seconds: float = 0.0
    phase_seconds: float = 0.0
    held: Mapping[str, float] = field(default_factory=dict)
    gate: GateState = field(default_factory=GateState)
    tally: Tally = field(default_factory=Tally)
    lines: tuple[Line, ...] = ()
    head: Head = field(default_factory=Head)
    inbox: tuple[Ask, ...] = ()
    paused: bool = False
    promote_asked: Ask | None = None
    late: bool = False
    analysed: Analysed | None = None
    outcome: Outcome | None = None
    run: str = ""
    key: str = ""

    @property
    def current(self) -> Phase:
        """The phase whose gates hold now, while stable is given the new version too, as the canary serves on; then the bake."""
        return self.plan.bake if self.state is State.BAKING else self.plan.phases[self.phase]

    @property
    def aborted_by(self) -> str:
        """Who asked for its end and was not heard yet; empty where nobody did."""
        return next((ask.who for ask in self.inbox if ask.verb is Verb.ABORT), "")

    def say(self, at: str, seconds: float, kind: str, /, **data: Any) -> Record:
        """The record with one more line of evidence."""
        line = following(self.head, at, seconds, kind, data)
        return replace(self, lines=(*self.lines, line), head=line.head)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A record of another schema: only what never changes its form."""

    schema: int
    release: str
    token: int
    owner: str
    beat: int
    ended: bool


@cache
def _adapter() -> TypeAdapter[Record]:
    return TypeAdapter(Record)


@cache
def _target() -> TypeAdapter[Target]:
    return TypeAdapter(Target)


@cache
def _fixed() -> TypeAdapter[Foreign]:
    return TypeAdapter(Foreign)


def to_json(record: Record) -> bytes:
    """The record as it is stored: compact JSON."""
    return _adapter().dump_json(record)


def from_json(text: bytes) -> Record | Foreign:
    """What `to_json` wrote; of another schema only its fixed part.

    Raises:
        ValueError: not a record at all
    """
    try:
        head = _fixed().validate_json(text)
    except ValidationError as cause:
        raise ValueError(_first(cause)) from cause
    if head.schema != SCHEMA:
        return head
    try:
        return _adapter().validate_json(text)
    except ValidationError as cause:
        raise ValueError(f"a record of schema {SCHEMA} that cannot be read: {_first(cause)}") from cause


def target_in(text: bytes) -> Target | None:
    """Where a release's objects are, of a record of any schema, as far as it still says that as this one does; else None."""
    try:
        return _target().validate_python(json.loads(text)["plan"]["target"])
    except (ValueError, LookupError, TypeError):
        return None


def _first(cause: ValidationError) -> str:
    """The first thing that is wrong, with its place."""
    error = cause.errors()[0]
    place = ".".join(map(str, error["loc"]))
    return f"{place}: {error['msg']}" if place else error["msg"]
