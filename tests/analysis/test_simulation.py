"""The demo's releases, seeded: what the gate does to good and to bad versions at 200 requests a second."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass

import pytest

from serinus.analysis import gate
from serinus.analysis.reading import Arm
from serinus.analysis.verdict import Outcome, Rule
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


@dataclass(frozen=True)
class Incident:
    """Both arms fail so much of their requests for a while, seconds of the release."""

    start: float
    end: float
    errors: float = 0.08


NONE = Incident(0.0, 0.0)
DEMO = Incident(9.0, 15.0, 0.2)
"""What `serinus demo incident` does: 6 s from the second phase's first second on."""


def binomial(chance: random.Random, of: int, p: float) -> int:
    """Drawn by the gaps between successes, which are few."""
    if p <= 0 or p >= 1:
        return of if p >= 1 else 0
    drawn, at_ = 0, int(math.log1p(-chance.random()) / math.log1p(-p))
    while at_ < of:
        drawn, at_ = drawn + 1, at_ + 1 + int(math.log1p(-chance.random()) / math.log1p(-p))
    return drawn


def release(seed: int, canary: float, stable: float, incident: Incident = NONE) -> Ended:
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
            suffers = incident.start <= now < incident.end
            weight = (before + percent) / 2 if at_weight == 1.0 else percent
            on_canary = binomial(chance, RATE, weight / 100)
            bad = binomial(chance, on_canary, incident.errors if suffers else canary)
            own_stable = canary if percent == 0.0 else stable
            bad_stable = binomial(chance, RATE - on_canary, incident.errors if suffers else own_stable)
            failed += bad
            service.after(1.0).canary(on_canary, bad).stable(RATE - on_canary, bad_stable)
            watch.setting = at(
                percent if 0 < percent < 100 else None,
                FIRST if percent == 5 else PLAN,
                checks,
                seconds=at_weight - 0.45,
                arm_served=Arm.STABLE if percent == 0.0 else Arm.CANARY,
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


def alone(seed: int, early: float, errors: float, seconds: float = math.inf) -> float | None:
    """Ten good seconds at 100 %, then errors for so long; seconds from their first one to the scrape that ends the release.

    Args:
        early: seconds before a scrape at which they begin
    """
    chance, service = random.Random(seed), Service().stable(1000)
    watch = watching(service, at(None, PLAN))
    begins = 11 - early
    for now in range(20):
        suffers = max(0.0, min(now + 1.0, begins + seconds) - max(now, begins))
        bad = binomial(chance, round(RATE * suffers), errors) + binomial(chance, RATE - round(RATE * suffers), 0.0005)
        if watch.sees(service.after(1.0).canary(RATE, bad).scraped()).outcome is Outcome.ABORT:
            return now + 1 - begins
    return None


def cell(releases: int, canary: float, stable: float, incident: Incident = NONE) -> list[Ended]:
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


@pytest.mark.parametrize("early", [0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_30_percent_errors_that_begin_at_100_percent_are_seen_within_two_scrapes(early: float) -> None:
    """Two seconds less what it takes to decide and to return, wherever between two scrapes they begin."""
    seconds = [alone(seed, early, 0.3) for seed in range(100)]
    assert all(one is not None and one <= 1.75 for one in seconds), Counter(seconds)


@pytest.mark.parametrize(("errors", "lasts"), [(0.02, math.inf), (0.3, 0.25), (0.07, 1.0)])
def test_what_no_abort_limit_forbids_ends_nothing_at_100_percent(errors: float, lasts: float) -> None:
    """2 % errors for good, which hold it, or less in a moment than half of what the window's limit allows."""
    assert {alone(seed, 1.0, errors, lasts) for seed in range(30)} == {None}


@pytest.mark.parametrize(
    "incident", [Incident(0.0, 12.0), Incident(14.0, 24.0), DEMO, Incident(20.0, 50.0, 0.2), Incident(12.0, 20.0, 1.0)]
)
def test_an_incident_of_both_arms_never_ends_a_release(incident: Incident) -> None:
    assert [one.outcome for one in cell(10, 0.0005, 0.0005, incident)] == ["promoted"] * 10


def test_an_incident_of_both_arms_holds_by_its_name_and_no_longer_than_it_is_seen() -> None:
    window, slack = 5.0, 2.0
    for one in cell(15, 0.0005, 0.0005, DEMO):
        held = sum(count for what, count in one.holds.items() if Rule.SHARED in what)
        assert DEMO.end - DEMO.start - slack <= held <= DEMO.end - DEMO.start + window, one.holds
        assert one.seconds <= 1.1 * PLANNED_SECONDS + held


def test_an_incident_holds_as_long_as_it_lasts() -> None:
    """What stable suffers with the canary never becomes what is usual for it while it goes on."""
    for one in cell(10, 0.0005, 0.0005, Incident(20.0, 50.0, 0.2)):
        assert sum(count for what, count in one.holds.items() if Rule.SHARED in what) >= 28, one.holds


def test_a_bad_canary_is_caught_once_an_incident_is_over() -> None:
    ended = cell(20, 0.3, 0.0005, Incident(0.0, 12.0, 0.3))
    assert all(one.outcome == "rolled back" for one in ended)
    # It stays at the weight at which it is suspicious: that takes longer there, and fewer users meet it.
    assert median([one.seconds for one in ended]) <= 12.0 + 16.0
    assert median([float(one.failed) for one in ended]) <= 150
