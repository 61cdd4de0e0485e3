"""The canary's breaches beside stable: hard, counted, shared, and limits that stable does not keep."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serinus.analysis.reading import History
from serinus.analysis.threshold import ERRORS, Bound, Gates, RateGate
from serinus.analysis.verdict import Outcome, Rule, Verdict
from tests.analysis.builders import (
    ERROR_RATE,
    NO_ERRORS,
    SERVER,
    Service,
    at,
    every_quarter_minute,
    every_second,
    watching,
)

ONE = Gates((ERROR_RATE,))


def judged(verdict: Verdict, gate: str) -> tuple[Outcome, str]:
    found = max((j for j in verdict.judgements if j.gate == gate), key=lambda j: j.outcome)
    return found.outcome, found.rule


def test_a_canary_within_its_limits_passes_and_says_what_it_does_not_prove() -> None:
    service = Service().stable(1000)
    verdict = watching(service, at(5, ONE)).sees(service.after(1).canary(10).stable(190).scraped())
    assert verdict.outcome is Outcome.PASS
    assert [j.note for j in verdict.judgements if j.gate == "error_rate"] == ["not certified, 357 more needed"]


def test_enough_requests_certify() -> None:
    service = Service().stable(1000)
    verdict = watching(service, at(50, ONE)).sees(service.after(5).canary(500).stable(500).scraped())
    assert [j.note for j in verdict.judgements if j.gate == "error_rate"] == [""]


@pytest.mark.parametrize(
    ("errors", "of", "outcome"), [(1, 2, Outcome.PASS), (2, 2, Outcome.ABORT), (4, 12, Outcome.ABORT)]
)
def test_a_hard_breach_needs_few_requests(errors: int, of: int, outcome: Outcome) -> None:
    service = Service().stable(1000)
    verdict = watching(service, at(5, ONE)).sees(service.after(1).canary(of, errors).stable(190).scraped())
    assert judged(verdict, "error_rate")[0] is outcome


def test_a_verdict_says_it_with_its_figures() -> None:
    service = Service().stable(1000)
    reason = watching(service, at(5, ONE)).sees(service.after(1).canary(39, 12).stable(700).scraped()).reason
    assert (reason.gate, reason.rule, reason.why) == ("error_rate", Rule.HARD, "error_rate 30.8 % > 5 % (12 of 39)")
    assert (reason.figures["bad"], reason.figures["of"], reason.figures["abort"]) == (12, 39, 0.05)


def test_errors_that_come_in_bursts_are_worth_less() -> None:
    service = Service().stable(1000)
    watch = watching(service, at(5, ONE, every_second(burst=5.0)))
    assert watch.sees(service.after(1).canary(12, 4).stable(190).scraped()).outcome is Outcome.PASS


def test_what_hits_stable_too_holds_and_counts_nothing() -> None:
    service = Service().stable(1000)
    watch = watching(service, at(25, ONE))
    watch.sees(service.after(60).canary(3000, 1).stable(9000, 4).scraped())
    for _ in range(20):
        verdict = watch.sees(service.after(1).canary(50, 4).stable(150, 12).scraped())
        assert verdict.outcome < Outcome.FAIL
    assert watch.state.streaks["error_rate"].failures == 0
    assert any(Rule.SHARED in verdict.holds for verdict in watch.verdicts)


def test_a_good_canary_passes_beside_a_bad_stable() -> None:
    service = Service().stable(1000)
    verdict = watching(service, at(25, ONE)).sees(service.after(5).canary(250).stable(750, 60).scraped())
    assert verdict.outcome is Outcome.PASS


def test_a_limit_that_stable_does_not_keep_is_replaced_by_what_stable_has() -> None:
    service = Service().stable(1000)
    watch = watching(service, at(50, Gates((SERVER,))))
    for _ in range(30):
        verdict = watch.sees(service.after(1).canary(100, 1).stable(100, 1).scraped())
        assert verdict.outcome is Outcome.PASS
    (found,) = (j for j in verdict.judgements if j.gate == "server_errors")
    assert found.figures["limit"] == pytest.approx(0.012)
    assert found.why.endswith("stable itself does not keep 0.1 %")


def test_a_dead_canary_beside_a_stable_that_keeps_no_limit_ends_all_the_same() -> None:
    service = Service().stable(1000)
    watch = watching(service, at(5, ONE), History((1200.0,) * 30, (60_000.0,) * 30))
    verdict = watch.sees(service.after(1).canary(10, 10).stable(190, 4).scraped())
    assert verdict.reason.rule == Rule.HARD


def test_three_failed_windows_in_a_row_end_a_release() -> None:
    service = Service().stable(1000)
    watch = watching(service, at(50, ONE, every_quarter_minute()))
    outcomes = [watch.sees(service.after(15).canary(1500, 45).stable(1500, 1).scraped()).outcome for _ in range(12)]
    assert outcomes == [Outcome.PASS] * 3 + [Outcome.FAIL] * 8 + [Outcome.ABORT]
    assert watch.verdicts[-1].reason.rule == Rule.COUNTED
    assert watch.verdicts[-1].reason.why.endswith("3 of 3 failed windows in a row")


def test_a_window_that_passes_clears_the_count() -> None:
    service = Service().stable(1000)
    watch = watching(service, at(50, ONE))
    for errors, failures in ((45, 1), (45, 2), (0, 0), (45, 1)):
        watch.sees(service.after(5).canary(1500, errors).stable(1500, 1).scraped())
        assert watch.state.streaks["error_rate"].failures == failures


def test_a_window_that_holds_leaves_the_count() -> None:
    service = Service().stable(1000)
    watch = watching(service, at(50, ONE))
    watch.sees(service.after(5).canary(1500, 45).stable(1500, 1).scraped())
    watch.sees(service.after(5).canary(1500, 45).stable(1500, 45).scraped())
    assert watch.state.streaks["error_rate"].failures == 1
    watch.sees(service.after(5).canary(1500, 45).stable(1500, 1).scraped())
    assert watch.state.streaks["error_rate"].failures == 2


def test_a_window_waits_for_300_requests() -> None:
    service = Service().stable(1000)
    watch = watching(service, at(5, ONE))
    for _ in range(29):
        assert watch.sees(service.after(1).canary(10, 0).stable(190).scraped()).outcome is Outcome.PASS
        assert watch.state.streaks["error_rate"].of > 0
    watch.sees(service.after(1).canary(10).stable(190).scraped())
    assert watch.state.streaks["error_rate"].of == 0


def test_shares_that_change_during_an_incident_mislead_nobody() -> None:
    """8 % errors hit both arms just as the canary's share grows: summed over the window the canary looks far worse."""
    service = Service().stable(1000)
    watch = watching(service, at(10, ONE))
    watch.sees(service.after(4).canary(80).stable(3920).scraped())
    watch.now(weight_fraction=0.5)
    verdict = watch.sees(service.after(1).canary(500, 40).stable(500, 40).scraped())
    assert judged(verdict, "error_rate") == (Outcome.HOLD, Rule.SHARED)


def test_hard_breaches_use_the_general_limit_never_a_phases_zero() -> None:
    service = Service().stable(1000)
    watch = watching(service, at(5, Gates((NO_ERRORS,))))
    assert watch.sees(service.after(1).canary(50, 3).stable(950).scraped()).outcome is Outcome.PASS
    assert watch.sees(service.after(1).canary(10, 6).stable(190).scraped()).reason.rule == Rule.HARD


@pytest.mark.parametrize(
    "gate",
    [
        RateGate("error_rate", None, Bound(ERRORS, 0.05, "abort above 5%")),
        RateGate("error_rate", Bound(ERRORS, 0.01, "max 1%"), None),
        RateGate("error_rate", Bound(ERRORS, 0.0, "max 0%"), None),
        RateGate("error_rate", Bound(ERRORS, 1.0, "max 100%"), None),
        RateGate("error_rate", None, None),
        replace(ERROR_RATE, slo=Bound(ERRORS, 0.02, "max 2%")),
    ],
)
def test_every_combination_of_limits_is_judged(gate: RateGate) -> None:
    service = Service().stable(1000)
    watch = watching(service, at(50, Gates((gate,))))
    for errors in (0, 5, 500):
        verdict = watch.sees(service.after(5).canary(500, errors).stable(500).scraped())
        assert any(j.gate == "error_rate" for j in verdict.judgements)
