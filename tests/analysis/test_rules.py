"""No errors, plain numbers, one arm alone, latency, warm-up, threshold metrics, budget, pods."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from serinus.analysis import gate
from serinus.analysis.reading import TIMED, Arm, within
from serinus.analysis.threshold import SERVER_ERRORS, Bound, Checks, Gates, QueryGate, RateGate, slow
from serinus.analysis.verdict import Judgement, Outcome, Rule, Verdict
from tests.analysis.builders import (
    ERROR_RATE,
    FIRST,
    NO_ERRORS,
    P50,
    P99,
    SERVER,
    SUCCESS_RATE,
    Service,
    Watch,
    at,
    every_quarter_minute,
    every_second,
    literally,
    watching,
)

ONE = Gates((ERROR_RATE,))
ZERO = Gates((NO_ERRORS,))


class TestNoErrors:
    def phase(self, errors: int, stable_errors: int = 0, **setting: Any) -> tuple[Outcome, str]:
        service = Service().stable(1000)
        watch = watching(service, at(5, ZERO, **setting))
        reason = watch.sees(service.after(8).canary(80, errors).stable(1520, stable_errors).scraped()).reason
        return reason.outcome, reason.rule

    def test_one_that_stable_might_have_had_passes(self) -> None:
        assert self.phase(1, soak_over=True)[0] is Outcome.PASS

    def test_two_without_any_on_stable_hold_when_the_soak_is_over(self) -> None:
        assert self.phase(2)[0] is Outcome.PASS
        assert self.phase(2, soak_over=True) == (Outcome.HOLD, Rule.NO_ERRORS)

    def test_two_that_stables_rate_explains_pass(self) -> None:
        assert self.phase(2, stable_errors=15, soak_over=True)[0] is Outcome.PASS

    def test_when_the_extension_is_spent_an_error_is_no_lack_of_figures(self) -> None:
        assert self.phase(2, soak_over=True, extension_over=True) == (Outcome.ABORT, Rule.NO_ERRORS)
        kept = self.phase(2, soak_over=True, extension_over=True, inconclusive_advances=False)
        assert kept == (Outcome.HOLD, Rule.NO_ERRORS)

    def test_a_new_weight_asks_anew(self) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(5, ZERO, soak_over=True))
        assert watch.sees(service.after(8).canary(80, 2).stable(1520).scraped()).outcome is Outcome.HOLD
        watch.state = gate.at_weight(watch.state)
        assert watch.sees(service.after(8).canary(80).stable(1520).scraped()).outcome is Outcome.PASS


class TestLiterally:
    def test_an_abort_limit_is_a_plain_number(self) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(5, ONE, literally(every_second())))
        assert watch.sees(service.after(1).canary(10, 1).stable(190, 60).scraped()).reason.rule == Rule.LITERAL

    def test_failed_windows_in_a_row_end_it_and_until_one_closes_nothing_beyond_the_limit_passes(self) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(50, ONE, literally(every_second())))
        outcomes = [watch.sees(service.after(1).canary(100, 2).stable(100).scraped()).outcome for _ in range(15)]
        assert outcomes == [Outcome.HOLD] * 4 + [Outcome.FAIL] * 10 + [Outcome.ABORT]

    def test_no_errors_is_none(self) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(50, ZERO, literally(every_second())))
        assert watch.sees(service.after(5).canary(500, 1).stable(500, 1).scraped()).outcome is Outcome.FAIL


class TestOneArm:
    def test_a_version_that_serves_everyone_ends_at_the_abort_limit(self) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(None, ONE))
        assert watch.sees(service.after(1).canary(200, 40).scraped()).reason.rule == Rule.HARD

    def test_it_is_not_waited_for_the_check_that_breaks_the_window_while_stable_stands_ready(self) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(None, ONE))
        for _ in range(5):
            assert watch.sees(service.after(1).canary(200).scraped()).outcome is Outcome.PASS
        reason = watch.sees(service.after(1).canary(200, 49).scraped()).reason
        assert (reason.outcome, reason.rule) == (Outcome.ABORT, Rule.HARD)
        assert (
            reason.why
            == "error_rate 24.5 % > 5 % (49 of 200) in the last 1 s; the next check like it breaks the window's limit"
        )

    @pytest.mark.parametrize(
        ("bad", "served", "outcome"),
        [
            (30, Arm.CANARY, Outcome.HOLD),  # twice that much is within the limit
            (49, Arm.STABLE, Outcome.HOLD),  # the bake: the way back is a redeployment, so the limit is the window's
            (51, Arm.STABLE, Outcome.ABORT),
        ],
    )
    def test_a_moment_alone_ends_nothing(self, bad: int, served: Arm, outcome: Outcome) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(None, ONE, arm_served=served))
        for _ in range(5):
            watch.sees(service.after(1).serves(served, 200).scraped())
        assert watch.sees(service.after(1).serves(served, 200, bad).scraped()).outcome is outcome

    def test_a_gap_in_the_scrapes_is_not_taken_for_what_comes_next(self) -> None:
        """An outage of 2.7 s somewhere in 45 s that were not scraped; it may be long over."""
        service = Service().stable(1000)
        watch = watching(service, at(None, ONE, every_quarter_minute()))
        for _ in range(5):
            watch.sees(service.after(15).canary(3000).scraped())
        assert watch.sees(service.after(45).canary(9000, 540).scraped()).outcome is Outcome.HOLD

    def test_a_passed_limit_holds_and_says_why_it_does_no_more(self) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(50, ONE))
        watch.sees(service.after(5).canary(500).stable(5000, 2).scraped())
        watch.now(weight_fraction=None)
        reason = watch.sees(service.after(5).canary(1000, 30).scraped()).reason
        assert (reason.outcome, reason.rule) == (Outcome.HOLD, Rule.BEYOND)

    def test_what_stable_had_too_passes(self) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(50, Gates((SERVER,))))
        watch.sees(service.after(5).canary(500, 3).stable(5000, 25).scraped())
        watch.now(weight_fraction=None)
        assert watch.sees(service.after(5).canary(1000, 7).scraped()).outcome is Outcome.PASS

    def test_three_windows_beyond_the_abort_limit_end_it(self) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(None, ONE, every_second(burst=20.0)))
        outcomes = [watch.sees(service.after(5).canary(1000, 60).scraped()).outcome for _ in range(3)]
        assert outcomes == [Outcome.FAIL, Outcome.FAIL, Outcome.ABORT]

    def test_the_bake_judges_stable_whose_new_processes_count_from_0(self) -> None:
        service = Service().stable(100_000, 500)
        watch = watching(service, at(None, ONE, arm_served=Arm.STABLE))
        assert watch.sees(service.restarts().after(1).stable(200).scraped()).outcome is Outcome.PASS
        assert watch.state.totals.stable.requests == 200
        assert watch.sees(service.after(1).stable(200, 150).scraped()).reason.rule == Rule.HARD


class TestFloor:
    """`success_rate` is a least share of good requests, and is said so."""

    ONE = Gates((SUCCESS_RATE,))

    def judgement(self, gate: str, verdict: Verdict) -> Judgement:
        return max((j for j in verdict.judgements if j.gate == gate), key=lambda one: one.outcome)

    def seen(
        self, errors: int, stable_errors: int = 0, checks: Checks | None = None, percent: float | None = 5
    ) -> Judgement:
        service = Service().stable(1000)
        watch = watching(service, at(percent, self.ONE, checks))
        return self.judgement(
            "success_rate", watch.sees(service.after(5).canary(1000, errors).stable(2000, stable_errors).scraped())
        )

    def test_a_hard_breach_has_the_share_of_good_ones_and_the_limit_that_was_written(self) -> None:
        found = self.seen(467)
        assert (found.rule, found.why) == (Rule.HARD, "success_rate 53.3 % < 95 % (533 of 1000)")
        shares = {name: found.figures[name] for name in ("rate", "limit", "abort", "stable_rate", "bad", "of")}
        assert shares == pytest.approx(
            {"rate": 0.533, "limit": 0.99, "abort": 0.95, "stable_rate": 1.0, "bad": 467, "of": 1000}
        )

    def test_failed_windows_say_it_too(self) -> None:
        assert self.seen(30).why == "success_rate 97 % < 99 % (970 of 1000), 1 of 3 failed windows in a row"

    def test_the_plain_numbers_say_it_too(self) -> None:
        found = self.seen(467, checks=literally(every_second()))
        assert (found.outcome, found.why) == (Outcome.ABORT, "success_rate 53.3 % < 95 % (533 of 1000)")
        found = self.seen(15, checks=literally(every_second(window_seconds=9.0)))
        assert (found.outcome, found.why) == (Outcome.HOLD, "success_rate 98.5 % < 99 % (985 of 1000)")

    def test_where_nothing_serves_beside_it_too(self) -> None:
        assert self.seen(467, percent=None).why == "success_rate 53.3 % < 95 % (533 of 1000)"
        assert self.seen(30, percent=None).why.startswith("success_rate 97 % < 99 % (970 of 1000); nothing serves")

    def turned(self, *errors: int) -> Verdict:
        """Four seconds of 200 good requests, then one of each of these."""
        service = Service().canary(200)
        watch = watching(service, at(None, self.ONE))
        for bad in (0, 0, 0, 0, *errors):
            watch.sees(service.after(1).canary(200, bad).scraped())
        return watch.verdicts[-1]

    def test_what_turned_bad_a_moment_ago_is_not_excused_by_what_was_good_before(self) -> None:
        found = self.turned(60)
        assert (found.outcome, found.reason.why) == (Outcome.ABORT, "success_rate 94 % < 95 % (940 of 1000)")

    def test_a_bad_second_of_which_two_leave_the_window_within_its_limit_ends_nothing(self) -> None:
        assert self.turned(30).outcome is not Outcome.ABORT

    def test_nor_does_a_window_that_came_over_its_limit_little_by_little_and_by_chance(self) -> None:
        assert self.turned(11, 10, 10, 11, 11).outcome is not Outcome.ABORT

    def test_beside_a_stable_that_suffers_too(self) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(25, self.ONE))
        watch.sees(service.after(60).canary(30_000).stable(90_000).scraped())
        verdict = watch.sees(service.after(5).canary(1000, 467).stable(2000, 940).scraped())
        why = self.judgement("success_rate", verdict).why
        assert why.startswith("success_rate 53.3 % < 95 % (533 of 1000), and stable 53 % < 9")

    def test_a_floor_that_is_kept(self) -> None:
        found = self.seen(0)
        assert (found.why, found.note) == ("success_rate 100 % >= 99 % (1000 of 1000)", "")
        assert found.figures["limit"] == pytest.approx(0.99)

    def test_near_a_hundred_no_digit_is_lost(self) -> None:
        service = Service().stable(1000)
        nines = RateGate("success_rate", Bound(SERVER_ERRORS, 0.0001, "min 99.99%"), None)
        watch = watching(service, at(50, Gates((nines,))))
        verdict = watch.sees(service.after(5).canary(100_000, 4).stable(100_000).scraped())
        assert self.judgement("success_rate", verdict).why == "success_rate 99.996 % >= 99.99 % (99996 of 100000)"


class TestLatency:
    def test_a_slow_tail_is_a_rate(self) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(50, Gates((RateGate("latency_p99", Bound(slow(0.1), 0.01, "max 100ms"), None),))))
        assert watch.sees(service.after(5).canary(500, slow=50).stable(500).scraped()).outcome is Outcome.FAIL
        assert watch.verdicts[-1].reason.why.startswith("latency_p99 10 % over 100 ms > 1 % (50 of 500)")

    def between(self, canary_slow: int) -> Watch:
        """A limit of 300 ms where the edges are 100 and 500 ms."""
        service = Service().stable(1000)
        watch = watching(service, at(50, Gates((RateGate("latency_p99", Bound(slow(0.3), 0.01, "max 300ms"), None),))))
        watch.sees(service.after(5).canary(500, slow=canary_slow).stable(500).scraped())
        return watch

    def test_between_two_edges_it_passes_by_the_one_below_and_fails_by_the_one_above(self) -> None:
        assert self.between(0).verdicts[-1].outcome is Outcome.PASS
        reason = self.between(50).verdicts[-1].reason
        assert (reason.outcome, reason.rule) == (Outcome.HOLD, Rule.BEYOND)

    def test_without_an_edge_at_or_below_nothing_passes(self) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(50, Gates((RateGate("latency_p50", Bound(slow(0.05), 0.5, "max 50ms"), None),))))
        assert Rule.BAD_QUERY in watch.sees(service.after(5).canary(500).stable(500).scraped()).holds

    def test_it_never_passes_without_a_histogram(self) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(50, Gates((P50, P99))))
        seen = service.after(5).canary(500).stable(500).scraped()
        bare = replace(
            seen, counters=tuple(c for c in seen.counters if c.figure not in (TIMED, within(0.1), within(0.5)))
        )
        assert Rule.NO_VALUE in watch.sees(bare).holds

    def test_nothing_is_judged_in_the_warm_up_nor_passed_by_it(self) -> None:
        cold = replace(P50, warm_up_seconds=2.0)
        service = Service().stable(1000)
        watch = watching(service, at(50, Gates((cold,)), seconds=0.5))
        assert watch.sees(service.after(1).canary(100, slow=100).stable(100).scraped()).outcome is Outcome.PASS
        watch.now(soak_over=True)
        reason = watch.sees(service.after(1).canary(100, slow=100).stable(100).scraped()).reason
        assert (reason.outcome, reason.rule) == (Outcome.HOLD, Rule.WARM_UP)

    def test_a_soak_that_leaves_no_whole_window_behind_the_warm_up_does_not_end_over_a_broken_limit(self) -> None:
        cold = replace(P99, limit=Bound(slow(0.1), 0.01, "max 100ms"), warm_up_seconds=5.0)
        service = Service().stable(1000)
        watch = watching(service, at(5, Gates((cold,)), every_second(), seconds_at_weight=5.0))
        watch.sees(service.after(5).canary(400, slow=40).stable(7600).scraped())
        watch.now(seconds_at_weight=6.0, soak_over=True)
        reason = watch.sees(service.after(1).canary(80, slow=8).stable(1520).scraped()).reason
        assert (reason.outcome, reason.rule) == (Outcome.HOLD, Rule.BEYOND)
        assert reason.why.endswith("so far, and its window is not full yet")
        watch.now(seconds_at_weight=11.0)
        assert watch.sees(service.after(5).canary(400, slow=40).stable(7600).scraped()).reason.rule == Rule.COUNTED

    def test_what_came_in_the_warm_up_is_in_no_window(self) -> None:
        cold = replace(P50, warm_up_seconds=1.0)
        service = Service().stable(1000)
        watch = watching(service, at(50, Gates((cold,)), seconds=0.9))
        watch.sees(service.after(1).canary(100, slow=100).stable(100).scraped(late=0))
        watch.now(seconds_at_weight=2.0).sees(service.after(1).canary(100).stable(100).scraped(late=0))
        (found,) = (j for j in watch.verdicts[-1].judgements if j.gate == "latency_p50")
        assert (found.figures["bad"], found.figures["of"]) == (0, 100)


class TestQueries:
    QUEUE = QueryGate("queue depth", "max(queue_depth{$canary})", maximum=100, abort_above=1000)

    def watch(self) -> tuple[Service, Watch]:
        service = Service().stable(1000)
        return service, watching(service, at(50, Gates((), (self.QUEUE,))))

    def answers(self, *values: float) -> tuple[Outcome, str, str]:
        service, watch = self.watch()
        seen = service.after(1).canary(100).stable(100).scraped(queries={"queue depth": values})
        reason = watch.sees(seen).reason
        (mine,) = (j for j in watch.verdicts[-1].judgements if j.gate == "queue depth")
        return reason.outcome, mine.rule, mine.why

    def test_each_kind_of_answer_has_its_own_rule(self) -> None:
        assert self.answers(7)[:2] == (Outcome.PASS, Rule.WITHIN)
        assert self.answers(170)[:2] == (Outcome.HOLD, Rule.BEYOND)
        assert self.answers()[:2] == (Outcome.HOLD, Rule.NO_VALUE)
        assert self.answers(math.nan)[:2] == (Outcome.HOLD, Rule.BAD_QUERY)
        assert self.answers(1, 2)[:2] == (Outcome.HOLD, Rule.BAD_QUERY)

    def test_an_abort_limit_waits_for_no_window(self) -> None:
        service, watch = self.watch()
        seen = service.after(1).canary(100).stable(100).scraped(queries={"queue depth": (1001.0,)})
        assert watch.sees(seen).reason.why == "queue depth 1001 > 1000"

    def test_windows_in_a_row_are_counted(self) -> None:
        service, watch = self.watch()
        outcomes = [
            watch.sees(service.after(5).canary(500).stable(500).scraped(queries={"queue depth": (value,)})).outcome
            for value in (170, 170, 7, 170, 170, 170)
        ]
        fail, passed = Outcome.FAIL, Outcome.PASS
        assert outcomes == [fail, fail, passed, fail, fail, Outcome.ABORT]

    @pytest.mark.parametrize(("value", "outcome"), [(0.99, Outcome.PASS), (0.97, Outcome.HOLD), (0.9, Outcome.ABORT)])
    def test_a_minimum(self, value: float, outcome: Outcome) -> None:
        service = Service().stable(1000)
        ratio = QueryGate("ok", "q", minimum=0.98, abort_below=0.95, unit="")
        watch = watching(service, at(50, Gates((), (ratio,))))
        assert watch.sees(service.after(1).canary(9).stable(9).scraped(queries={"ok": (value,)})).outcome is outcome


class TestBudgetAndPods:
    def test_only_errors_above_stables_rate_are_spent(self) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(50, Gates(), bad_requests=12))
        watch.sees(service.after(1).canary(100, 8).stable(100, 8).scraped())
        assert watch.verdicts[-1].outcome is Outcome.PASS
        watch.sees(service.after(1).canary(100, 13).stable(100).scraped())
        assert (watch.verdicts[-1].reason.gate, watch.verdicts[-1].reason.rule) == ("bad_requests", Rule.BUDGET)

    def test_pods_that_fail_are_a_gate_at_once_also_without_metrics(self) -> None:
        service = Service().stable(1000)
        watch = watching(service, at(5, FIRST, troubles=("v2-0: CrashLoopBackOff", "v2-1: OOMKilled")))
        reason = watch.sees(service.scraped()).reason
        assert (reason.outcome, reason.gate, reason.rule) == (Outcome.ABORT, "pods", Rule.CRASH)
        assert reason.why == "v2-0: CrashLoopBackOff (and 1 more)"

    def test_a_bad_version_of_server_errors_only_is_named_by_its_gate(self) -> None:
        service = Service().stable(1000)
        watch = watching(
            service, at(50, Gates((RateGate("server_errors", Bound(SERVER_ERRORS, 0.001, "max 0.1%"), None),)))
        )
        reason = watch.sees(service.after(5).canary(500, 12).stable(500).scraped()).reason
        assert (reason.gate, reason.outcome) == ("server_errors", Outcome.FAIL)
