"""Whether the figures are there at all, and enough of them: each lack has its own reason.

Absent, NaN, zero, old and down are five different things. What becomes of a lack that lasts is the release's question.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from serinus.analysis.increment import samples
from serinus.analysis.reading import Arm, Outage, Reading
from serinus.analysis.setting import Setting
from serinus.analysis.state import Both, GateState
from serinus.analysis.verdict import Judgement, Outcome, Rule

GATE = "telemetry"
_SCRAPES = 2


def down(outage: Outage) -> Judgement:
    return Judgement(Outcome.HOLD, GATE, Rule.DOWN, outage.why)


def waiting(state: GateState) -> tuple[Judgement, ...]:
    """No newer sample than the last check saw: nothing passes, nothing fails, and what held then holds on."""
    again = tuple(
        Judgement(Outcome.HOLD, gate, rule, "as at the check before: there is no newer sample")
        for gate, rule in state.held
    )
    return (Judgement(Outcome.HOLD, GATE, Rule.WAITING, "waiting for a scrape: no newer sample yet"), *again)


def judge(state: GateState, reading: Reading, faults: tuple[str, ...], setting: Setting) -> tuple[Judgement, ...]:
    """What is wrong with the reading itself; nothing where all is well."""
    if not math.isfinite(reading.now):
        faults = (f"Prometheus' clock reads {reading.now}", *faults)
    found = []
    if faults:
        rest = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        found.append(Judgement(Outcome.HOLD, GATE, Rule.BAD_QUERY, f"{faults[0]}{rest}"))
    old = "; ".join(_stale(state, reading, setting))
    if old:
        blind_twice = bool(setting.troubles)
        outcome = Outcome.FAIL if blind_twice else Outcome.HOLD
        found.append(Judgement(outcome, GATE, Rule.STALE, f"{old}, and pods fail" if blind_twice else old))
    return tuple(found)


def _stale(state: GateState, reading: Reading, setting: Setting) -> Iterator[str]:
    """Of the canary every target counts; of stable one that is up suffices, for its pods come and go."""
    usable, _ = samples(reading)
    newest: dict[Arm, float] = {}
    targets: dict[Arm, set[str]] = {Arm.CANARY: set(), Arm.STABLE: set()}
    for name, sample in (*state.marks.items(), *usable.items()):
        arm, _, target = name.partition("/")
        targets[Arm(arm)].add(target)
        newest[Arm(arm)] = max(newest.get(Arm(arm), -math.inf), sample.at)
    shared = bool(targets[Arm.CANARY] & targets[Arm.STABLE])
    allowed = setting.checks.scrape_seconds * (_SCRAPES if shared else _SCRAPES + 1)
    known = targets[Arm.CANARY] | targets[Arm.STABLE]
    for arm in setting.arms:
        mine = {t for t in (targets[arm] or reading.targets.keys() - known) if t in reading.targets}
        gone = sorted(target for target in mine if not reading.targets[target])
        if gone and (arm is Arm.CANARY or len(gone) == len(mine)):
            yield f"{arm.value}: {gone[0]} is down" + (f" (and {len(gone) - 1} more)" if len(gone) > 1 else "")
        elif arm in newest and reading.now - newest[arm] > allowed:
            age = reading.now - newest[arm]
            yield f"{arm.value}: the newest sample is {age:.3g} s old, a scrape is due every {setting.checks.scrape_seconds:g} s"


def traffic(window: Both, reading: Reading, setting: Setting) -> tuple[Judgement, ...]:
    """Whether every arm that should serve has served in the window."""
    usable, _ = samples(reading)
    found = []
    for arm in setting.arms:
        present = any(name.startswith(f"{arm.value}/") for name in usable)
        if not present:
            why = f"{arm.value}: there is no request series"
        elif not window.of(arm).requests:
            why = f"{arm.value}: no request in the window"
        else:
            continue
        found.append(Judgement(Outcome.HOLD, "traffic", Rule.NO_TRAFFIC, why))
    return tuple(found)


def enough(state: GateState, setting: Setting) -> Judgement:
    """Whether the phase has seen as many requests as no phase ends without."""
    seen, least = state.phase.of(setting.judged).requests, setting.checks.min_requests
    numbers = {"requests": seen, "min_requests": float(least)}
    said = f"{seen:.0f} requests in this phase"
    if seen >= least:
        return Judgement(Outcome.PASS, "requests", Rule.WITHIN, said, numbers)
    why = f"{said}, {least - seen:.0f} of {least} still needed"
    if not setting.soak_over:
        return Judgement(Outcome.PASS, "requests", Rule.TOO_FEW, why, numbers, "decided when the soak is over")
    if setting.extension_over and setting.inconclusive_advances:
        why = f"{said}, fewer than {least}: the policy goes on without"
        return Judgement(Outcome.PASS, "requests", Rule.TOO_FEW, why, numbers, "inconclusive, and the policy advances")
    return Judgement(Outcome.HOLD, "requests", Rule.TOO_FEW, why, numbers)
