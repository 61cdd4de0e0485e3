"""What a check says: a value, never an exception.

Strictest wins: ABORT > FAIL > HOLD > PASS. What follows from one is `release.lifecycle`'s question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Outcome(IntEnum):
    """Ordered by strictness, so that `max` picks the one that counts."""

    PASS = 0
    HOLD = 1
    FAIL = 2
    ABORT = 3


class Rule(StrEnum):
    """What can make a judgement. A HOLD's rule is its reason, and each has a clock of its own in the record."""

    WITHIN = "within limits"
    WARM_UP = "warm-up"
    HARD = "hard breach"
    COUNTED = "counted breach"
    LITERAL = "literal limit"
    BEYOND = "beyond-limit"
    NO_ERRORS = "no errors"
    SHARED = "shared-incident"
    TOO_FEW = "too-few-samples"
    DOWN = "metrics-down"
    STALE = "stale"
    BAD_QUERY = "bad-query"
    NO_VALUE = "no-value"
    NO_TRAFFIC = "no-traffic"
    MISMATCH = "traffic-mismatch"
    WAITING = "no-new-scrape"
    CRASH = "crash"
    BUDGET = "budget"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one gate says.

    Args:
        outcome: PASS, HOLD, FAIL or ABORT
        gate: the gate's one name (`error_rate`, ..., `telemetry`, `traffic`, `pods`, `bad_requests`)
        rule: what made it (`Rule`)
        why: one sentence for a person, with the figures and the limit: `error_rate 31 % > 5 % (12 of 39)`
        figures: the numbers it was made from, by name, plain floats
        note: what a PASS does not say, such as `not certified, 2,900 more needed`
    """

    outcome: Outcome
    gate: str
    rule: str
    why: str
    figures: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says: the strictest judgement, with all of them kept.

    Args:
        judgements: at least one; the first of the strictest is the reason
    """

    judgements: tuple[Judgement, ...]

    @property
    def reason(self) -> Judgement:
        """The judgement that decided."""
        return max(self.judgements, key=lambda judgement: judgement.outcome)

    @property
    def outcome(self) -> Outcome:
        return self.reason.outcome

    @property
    def holds(self) -> frozenset[str]:
        """Every rule that holds, whatever decided: each has its own deadline."""
        return frozenset(j.rule for j in self.judgements if j.outcome is Outcome.HOLD)
