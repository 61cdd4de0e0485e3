"""What a release looks like to somebody who only has the Prefect UI: texts from its record. Pure; sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect.client.schemas.objects import State as RunState
from prefect.states import Cancelled, Completed, Failed

from serinus.analysis.state import Counts
from serinus.analysis.verdict import Verdict
from serinus.release.plan import Plan
from serinus.release.record import Outcome, Record, State
from tasks.moved import Moved


def final(version: str, state: State, end: Outcome | None, cancelled: bool = False) -> RunState[None]:
    """The named state in which a run ends whose release has ended.

    Args:
        cancelled: somebody cancelled the run in the UI: it may then only end as Cancelled
    """
    message = sentence(version, state, end)
    if state is State.PROMOTED:
        return Completed(name="Promoted", message=message)
    if cancelled:
        return Cancelled(name="RolledBack", message=message)
    return Failed(name="RolledBack", message=message)


def sentence(version: str, state: State, end: Outcome | None) -> str:
    """How it ended, at which weight, how fast."""
    if end is None:
        return f"{version}: {state}"
    if state is State.PROMOTED:
        return end.why
    at = f" at {end.weight_percent:g} %" if end.weight_percent else ""
    took = end.verdict_to_stable_seconds
    returned = "" if took is None else f" {took:.2f} s after the verdict"
    return f"{end.why}{at}; all traffic on stable{returned}"


def outcome(record: Record) -> str:
    """`sentence` of a record."""
    return sentence(record.plan.version, record.state, record.outcome)


def row(name: str, moved: Moved, record: Record, detail: str = "") -> dict[str, Any]:
    """One line of the timeline."""
    totals = record.gate.totals
    return {
        "seconds": round(record.elapsed_seconds, 1),
        "move": name,
        "weight": moved.weight,
        "then": str(moved.action.step),
        "why": detail or moved.why,
        "canary": counted(totals.canary),
        "stable": counted(totals.stable),
    }


def counted(counts: Counts) -> str:
    """`12 of 240 failed`."""
    return f"{counts.errors:.0f} of {counts.requests:.0f} failed" if counts.requests else "no requests"


def progress(record: Record) -> tuple[float, str]:
    """How far the release has come: percent of all soaks, and a sentence."""
    plan = record.plan
    soaks = [phase.soak_seconds for phase in (*plan.phases, plan.bake)]
    if record.state is State.PROMOTED:
        return 100.0, outcome(record)
    reached = len(plan.phases) if record.state in (State.PROMOTING, State.BAKING) else record.phase
    soaked = 0.0 if record.state is State.PROMOTING else min(record.soaked_seconds, soaks[reached])
    percent = 100 * (sum(soaks[:reached]) + soaked) / max(sum(soaks), 1e-9)
    if record.ended:
        return percent, outcome(record)
    return min(percent, 99.0), standing(record)


def standing(record: Record) -> str:
    """`25 %: 4 of 8 s soaked, waits for too-few-samples`."""
    if record.state is not State.PHASE and record.state is not State.BAKING:
        return str(record.state)
    what = "bake" if record.state is State.BAKING else str(record.current.weight)
    waits = f", waits for {', '.join(record.held)}" if record.held else ""
    paused = ", paused" if record.paused else ""
    return f"{what}: {record.soaked_seconds:.0f} of {record.current.soak_seconds:g} s soaked{waits}{paused}"


def report(record: Record, verdict: Verdict | None, evidence: str, silent_seconds: float = 0.0) -> str:
    """The whole release on a page of markdown.

    Args:
        evidence: where its lines lie
        silent_seconds: how long the Prefect server did not answer: the gap in its history is named
    """
    head, plan = record.head, record.plan
    took = record.elapsed_seconds
    return "\n".join(
        [
            f"# {plan.service} {plan.version}: {record.state}",
            "",
            f"**{outcome(record)}** ({took:.0f} s in all; before: {record.previous.version})",
            "",
            *_gap(silent_seconds),
            *_requests(record),
            *_gates(plan, verdict),
            *_weights(record.tally.weights),
            "## Evidence",
            "",
            f"`{evidence}`, {head.n} lines; the last has the hash `{head.hash}`. Check: `{_verifying(record)}`",
            "",
            f"Release `{record.release}`, token {record.token}.",
        ]
    )


def _verifying(record: Record) -> str:
    namespace = record.plan.target.workload_options.get("namespace")
    return f"serinus evidence verify {record.release}" + (f" --namespace {namespace}" if namespace else "")


def refusal(service: str, version: str, problems: Sequence[str]) -> str:
    """A release that never began."""
    return "\n".join([f"# {service} {version}: refused", "", "Nothing was touched.", "", *(f"- {p}" for p in problems)])


def _gap(seconds: float) -> list[str]:
    if seconds < 1:
        return []
    return [
        f"Prefect did not answer for {seconds:.0f} s: bars and events of that time may be missing here, not below.",
        "",
    ]


def _requests(record: Record) -> list[str]:
    totals = record.gate.totals
    rows = [
        f"| {name} | {c.requests:,.0f} | {c.errors:,.0f} | {_percent(c.errors, c.requests)} | {_slow(c)} |"
        for name, c in (("canary", totals.canary), ("stable", totals.stable))
    ]
    return ["| | requests | failed | error rate | slower than |", "|---|---|---|---|---|", *rows, ""]


def _slow(counts: Counts) -> str:
    parts = (f"{float(edge):g} s: {_percent(slow, counts.timed)}" for edge, slow in counts.slow.items())
    return ", ".join(parts) or "–"


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.3g} %" if whole else "–"


def _gates(plan: Plan, verdict: Verdict | None) -> list[str]:
    """Every limit, and what the last check said of it."""
    if verdict is None:
        return []
    limits = {
        gate.name: ", ".join(bound.text for bound in (gate.limit, gate.abort) if bound)
        for phase in (*plan.phases, plan.bake)
        for gate in phase.gates.rates
    }
    rows = [
        f"| {j.gate} | {limits.get(j.gate, '')} | {j.outcome.name} | {_cell(j.why)} | {_cell(j.note)} |"
        for j in verdict.judgements
    ]
    return ["## Gates, at the last check", "", "| gate | limit | says | why | |", "|---|---|---|---|---|", *rows, ""]


def _weights(weights: Sequence[tuple[float, float]]) -> list[str]:
    steps = " → ".join(f"{percent:g} % at {seconds:.1f} s" for seconds, percent in weights)
    return ["## Weights", "", steps, ""] if steps else []


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
