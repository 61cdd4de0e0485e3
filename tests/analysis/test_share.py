"""The share that was served against the weight that was set."""

from __future__ import annotations

import random

from serinus.analysis import gate
from serinus.analysis.share import judge
from serinus.analysis.verdict import Outcome, Rule
from tests.analysis.builders import Service, at, watching
from tests.analysis.test_simulation import binomial


def test_a_share_as_set_is_never_called_a_mismatch() -> None:
    chance = random.Random(3)
    for _ in range(50):
        canary = of = 0
        for _ in range(60):
            of, canary = of + 200, canary + binomial(chance, 200, 0.05)
            assert judge(canary, of - canary, 0.05).outcome is Outcome.PASS


def test_a_canary_that_gets_nothing_is_seen_within_two_seconds() -> None:
    assert judge(0, 400, 0.05).rule == Rule.MISMATCH


def test_double_the_weight_is_a_mismatch_and_a_hair_is_none() -> None:
    assert judge(200, 1800, 0.05).outcome is Outcome.HOLD
    assert judge(52_000, 948_000, 0.05).outcome is Outcome.PASS


def test_requests_from_before_the_weight_took_effect_do_not_count() -> None:
    service = Service().stable(1000)
    watch = watching(service, at(50))
    watch.state = gate.at_weight(watch.state)
    watch.now(seconds_at_weight=0.4).sees(service.after(1).canary(10).stable(190).scraped())
    assert watch.state.share == (0, 0)
    watch.now(seconds_at_weight=1.4).sees(service.after(1).canary(100).stable(100).scraped())
    assert watch.state.share == (100, 100)


def test_the_share_begins_anew_with_each_weight() -> None:
    service = Service().stable(1000)
    watch = watching(service, at(5))
    watch.sees(service.after(1).canary(0).stable(1000).scraped())
    assert Rule.MISMATCH in watch.verdicts[-1].holds
    watch.state = gate.at_weight(watch.state)
    verdict = watch.now(weight_fraction=0.25).sees(service.after(1).canary(250).stable(750).scraped())
    assert Rule.MISMATCH not in verdict.holds
