"""What "no errors" means: none that stable does not have too. Asked when the soak is over."""

from __future__ import annotations

from serinus.analysis.binomial import worse
from serinus.analysis.judging import UNEXPLAINED, Sample, Sight, figures, percent, sample
from serinus.analysis.threshold import Bound, RateGate
from serinus.analysis.verdict import Judgement, Outcome, Rule


def judge(gate: RateGate, bound: Bound, sight: Sight) -> Judgement:
    """The phase's errors of both arms against their requests; where one arm serves all, against stable's before.

    Before the soak is over a question is a note; after it HOLD, asked again at every check; when the extension is over and
    inconclusive phases advance: ABORT, for an error is no lack of figures.
    """
    state, setting = sight.state, sight.setting
    found = sample(sight.judged(state.phase), bound.bad) or Sample()
    other = sample(state.own if setting.one_armed else state.phase.stable, bound.bad) or Sample()
    chance = worse(found.bad / sight.phi, found.of, other.bad / sight.phi, other.of)
    numbers = figures(gate, found, other.rate, bound.allowed, chance=chance)
    why = f"{gate.name}: {found.bad:.0f} of {found.of:.0f} in this phase, stable {other.bad:.0f} of {other.of:.0f}"
    if found.bad <= 0:
        return Judgement(Outcome.PASS, gate.name, Rule.NO_ERRORS, why, numbers)
    if chance > UNEXPLAINED:
        note = f"stable's own rate explains them (chance {percent(chance)})"
        return Judgement(Outcome.PASS, gate.name, Rule.NO_ERRORS, why, numbers, note)
    note = f"stable's own rate does not explain them (chance {percent(chance)})"
    if not setting.soak_over:
        return Judgement(
            Outcome.PASS, gate.name, Rule.NO_ERRORS, why, numbers, f"{note}; decided when the soak is over"
        )
    given_up = setting.extension_over and setting.inconclusive_advances
    return Judgement(Outcome.ABORT if given_up else Outcome.HOLD, gate.name, Rule.NO_ERRORS, f"{why}: {note}", numbers)
