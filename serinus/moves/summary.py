"""What a release came to, as plain data: the last line of `--json`, the report, `summary.json`."""

from __future__ import annotations

from typing import Any

from serinus.release.record import Record, State


def outcome_of(record: Record) -> str:
    """`promoted`, `rolled back`, `rollback failed` or `going`."""
    if record.state is State.PROMOTED:
        return "promoted"
    if record.state is State.ROLLED_BACK:
        return "rolled back"
    return "rollback failed" if record.late else "going"


def summary(record: Record, evidence: str) -> dict[str, Any]:
    """The release's summary.

    Args:
        evidence: where its lines lie, for people
    """
    outcome, tally = record.outcome, record.tally
    first = tally.weights[0][0] if tally.weights else 0.0
    reason: dict[str, Any] = {}
    if outcome is not None:
        reason = {"gate": outcome.gate, "rule": outcome.rule, "weight": outcome.weight_percent, "why": outcome.why}
    return {
        "release": record.release,
        "service": record.plan.service,
        "version": record.plan.version,
        "outcome": outcome_of(record),
        "reason": {key: value for key, value in reason.items() if value != ""},
        "seconds": {
            "total": round(record.elapsed_seconds, 3),
            "verdict_to_stable": outcome.verdict_to_stable_seconds if outcome else None,
        },
        "requests": {
            "canary": tally.canary,
            "stable": tally.stable,
            "failed_on_canary": tally.failed_on_canary,
        },
        "weights": [[round(at - first, 3), percent] for at, percent in tally.weights],
        "run": record.run,
        "evidence": evidence,
    }
