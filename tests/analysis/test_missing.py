"""Every lack of figures has its own reason."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from serinus.analysis.reading import Arm, Counter, Outage, Reading
from serinus.analysis.threshold import Gates
from serinus.analysis.verdict import Outcome, Rule
from tests.analysis.builders import ERROR_RATE, Service, Watch, at, watching

ONE = Gates((ERROR_RATE,))


def half(**setting: Any) -> tuple[Service, Watch]:
    service = Service().stable(1000).canary(1000)
    return service, watching(service, at(50, ONE, **setting))


def test_metrics_that_do_not_answer() -> None:
    service, watch = half()
    verdict = watch.sees(Outage("http://prometheus did not answer within 1 s"))
    assert verdict.holds == {Rule.DOWN}
    assert watch.sees(service.after(9).canary(100).stable(100).scraped()).outcome is Outcome.PASS


def test_a_target_that_is_down_is_stale() -> None:
    service, watch = half()
    assert watch.sees(service.scraped(up=False)).holds == {Rule.STALE}


def test_a_sample_older_than_two_scrapes_is_stale() -> None:
    service, watch = half()
    service.after(1).canary(100).stable(100)
    assert watch.sees(service.scraped()).outcome is Outcome.PASS
    assert watch.sees(service.scraped(late=2.0)).holds == {Rule.WAITING}
    verdict = watch.sees(service.scraped(late=2.1))
    assert verdict.holds == {Rule.STALE}
    assert verdict.reason.why.startswith("canary: the newest sample is 2.1 s old")


def test_stale_figures_of_failing_pods_are_no_mere_hold() -> None:
    service, watch = half(troubles=("v2-0: OOMKilled",))
    verdict = watch.sees(service.scraped(up=False))
    assert [j.outcome for j in verdict.judgements if j.rule == Rule.STALE] == [Outcome.FAIL]


def test_one_stable_pod_that_goes_away_holds_nothing_but_a_canarys_does() -> None:
    def pods(seconds: float, down: str) -> Reading:
        counters = tuple(
            Counter(arm, name, "requests", 10 * seconds, 1000 + seconds)
            for arm, name in ((Arm.CANARY, "c1"), (Arm.CANARY, "c2"), (Arm.STABLE, "s1"), (Arm.STABLE, "s2"))
            if name != down
        )
        return Reading(1000 + seconds, counters, {name: name != down for name in ("c1", "c2", "s1", "s2")})

    service, watch = half()
    watch.state = replace(watching(service, watch.setting).state, marks={}, end=1000.0)
    watch.sees(pods(1, ""))
    assert watch.sees(pods(2, "s1")).outcome is Outcome.PASS
    assert watch.sees(pods(3, "c1")).holds == {Rule.STALE}


def test_no_request_and_no_request_series_are_told_apart() -> None:
    service = Service().stable(1000)
    watch = watching(service, at(5, ONE))
    verdict = watch.sees(service.after(1).stable(190).scraped())
    assert verdict.reason.why == "canary: there is no request series"
    verdict = watch.sees(service.after(1).canary(0).stable(190).scraped())
    assert (verdict.reason.rule, verdict.reason.why) == (Rule.NO_TRAFFIC, "canary: no request in the window")


@pytest.mark.parametrize("value", [math.nan, math.inf, -3.0])
def test_a_counter_that_is_none_is_a_bad_query(value: float) -> None:
    service, watch = half()
    service.after(1).canary(100).stable(100)
    seen = service.scraped()
    broken = replace(seen, counters=(*seen.counters[1:], replace(seen.counters[0], value=value)))
    verdict = watch.sees(broken)
    assert Rule.BAD_QUERY in verdict.holds
    assert "requests of envoy (stable)" in verdict.reason.why


def test_a_check_before_a_new_scrape_clears_nothing_and_passes_nothing() -> None:
    service = Service().stable(1000)
    watch = watching(service, at(5, ONE))
    assert watch.sees(service.after(1).canary(0).stable(190).scraped()).holds == {Rule.NO_TRAFFIC}
    end = watch.state.end
    verdict = watch.sees(service.scraped(late=0.9))
    assert verdict.outcome is Outcome.HOLD
    assert verdict.holds == {Rule.WAITING, Rule.NO_TRAFFIC}
    assert (watch.state.latest, watch.state.end) == (None, end)
    assert watch.sees(service.after(1).canary(10).stable(190).scraped()).outcome is Outcome.PASS


def test_a_phase_does_not_end_on_too_few_requests() -> None:
    service, watch = half()
    seen = service.after(1).canary(30).stable(30).scraped
    assert watch.sees(seen()).outcome is Outcome.PASS
    service.after(1).canary(3).stable(3)
    verdict = watch.now(soak_over=True).sees(service.scraped())
    assert verdict.holds == {Rule.TOO_FEW}
    assert verdict.reason.why == "33 requests in this phase, 17 of 50 still needed"
    service.after(1).canary(3).stable(3)
    assert watch.now(extension_over=True, inconclusive_advances=False).sees(service.scraped()).holds == {Rule.TOO_FEW}
    service.after(1).canary(3).stable(3)
    passed = watch.now(inconclusive_advances=True).sees(service.scraped())
    assert passed.outcome is Outcome.PASS
    assert "39 requests in this phase, fewer than 50: the policy goes on without" in [j.why for j in passed.judgements]


def test_a_clock_that_is_none_is_named() -> None:
    service, watch = half()
    seen = replace(service.after(1).canary(100).stable(100).scraped(), now=math.nan)
    assert Rule.BAD_QUERY in watch.sees(seen).holds
