"""The demo's releases, seeded: what the gate does to good and to bad versions at 200 requests a second."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass

import pytest

from serinus.analysis import gate
from serinus.analysis.reading import Arm
from serinus.analysis.verdict import Outcome
from tests.analysis.builders import FIRST, PLAN, Service, at, every_second, watching

PLANNED_SECONDS = 48.0
RATE = 200


@dataclass(frozen=True)
class Ended:
    outcome: str
    seconds: float
    failed: int
    """Failed requests on the canary."""
    holds: Counter[str]


def binomial(chance: random.Random, of: int, p: float) -> int:
    """Drawn by the gaps between successes, which are few."""
    if p <= 0 or p >= 1:
        return of if p >= 1 else 0
    drawn, at_ = 0, int(math.log1p(-chance.random()) / math.log1p(-p))
    while at_ < of:
        drawn, at_ = drawn + 1, at_ + 1 + int(math.log1p(-chance.random()) / math.log1p(-p))
    return drawn


def release(seed: int, canary: float, stable: float, incident: tuple[float, float] = (0.0, 0.0)) -> Ended:
    """The demo: 8 s at 5, 10, 25, 50 and 100 %, then a bake of 8 s; each weight change straddles a scrape."""
    chance, checks = random.Random(seed), every_second(burst=1.0)
    service = Service().stable(1000)
    watch = watching(service, at(5, FIRST, checks))
    holds: Counter[str] = Counter()
    now, failed, before = 0.0, 0, 0.0
    for percent in (5.0, 10.0, 25.0, 50.0, 100.0, 0.0):
        watch.state, soaked, at_weight = gate.at_weight(watch.state), 0.0, 0.0
        while True:
            now, at_weight = now + 1.0, at_weight + 1.0
            suffers = incident[0] <= now < incident[1]
            weight = (before + percent) / 2 if at_weight == 1.0 else percent
            on_canary = binomial(chance, RATE, weight / 100)
            bad = binomial(chance, on_canary, 0.08 if suffers else canary)
            new_everywhere = percent == 0.0
            bad_stable = binomial(chance, RATE - on_canary, 0.08 if suffers else canary if new_everywhere else stable)
            failed += bad
            service.after(1.0).canary(on_canary, bad).stable(RATE - on_canary, bad_stable)
            watch.setting = at(
                percent if 0 < percent < 100 else None,
                FIRST if percent == 5 else PLAN,
                checks,
                seconds=at_weight - 0.45,
                arm_served=Arm.STABLE if new_everywhere else Arm.CANARY,
                soak_over=soaked >= 7.0,
                extension_over=at_weight > 16.0,
            )
            verdict = watch.sees(service.scraped())
            if verdict.outcome is Outcome.ABORT:
                return Ended("rolled back", now, failed, holds)
            if verdict.outcome is Outcome.PASS:
                soaked += 1.0
            else:
                holds[f"{verdict.reason.gate} {verdict.reason.rule} {percent:g}"] += 1
            if soaked >= 8.0 and verdict.outcome is Outcome.PASS:
                break
            if at_weight > 300:
                return Ended("stuck", now, failed, holds)
        before = percent
    return Ended("promoted", now, failed, holds)


def cell(releases: int, canary: float, stable: float, incident: tuple[float, float] = (0.0, 0.0)) -> list[Ended]:
    return [release(seed, canary, stable, incident) for seed in range(releases)]


def median(numbers: list[float]) -> float:
    return sorted(numbers)[len(numbers) // 2]


@pytest.mark.parametrize("rate", [0.0005, 0.005])
def test_a_version_as_good_as_stable_is_promoted_on_time(rate: float) -> None:
    ended = cell(15, rate, rate)
    late = [one for one in ended if one.outcome != "promoted" or one.seconds > 1.1 * PLANNED_SECONDS]
    assert len(late) <= 1, [(one.outcome, one.seconds, one.holds) for one in late]


def test_30_percent_errors_end_within_a_few_failed_requests() -> None:
    ended = cell(100, 0.3, 0.0005)
    assert all(one.outcome == "rolled back" for one in ended)
    assert median([one.failed for one in ended]) <= 7
    assert max(one.failed for one in ended) <= 20


def test_a_dead_canary_ends_at_the_first_scrape() -> None:
    ended = cell(100, 1.0, 0.0005)
    assert all(one.outcome == "rolled back" for one in ended)
    assert median([one.seconds for one in ended]) <= 2.0
    assert median([one.failed for one in ended]) <= 10


@pytest.mark.parametrize("incident", [(0.0, 12.0), (14.0, 24.0)])
def test_an_incident_of_both_arms_never_ends_a_release(incident: tuple[float, float]) -> None:
    assert [one.outcome for one in cell(10, 0.0005, 0.0005, incident)] == ["promoted"] * 10
