"""How errors clump."""

from __future__ import annotations

import math
import random

import pytest

from serinus.analysis.burst import factor, measured
from serinus.analysis.reading import History
from tests.analysis.builders import every_second
from tests.analysis.test_simulation import binomial


def history(size: int, windows: int = 288) -> History:
    """Errors that come `size` at a time."""
    chance = random.Random(7)
    return History(
        tuple(float(size * binomial(chance, 6000 // size, 0.005)) for _ in range(windows)), (6000.0,) * windows
    )


def test_independent_errors_do_not_clump() -> None:
    assert measured(history(1)) == pytest.approx(1.0, abs=0.3)


def test_errors_five_at_a_time_have_a_factor_of_five() -> None:
    assert measured(history(5)) == pytest.approx(5.0, rel=0.3)


def test_traffic_that_comes_and_goes_is_no_clumping() -> None:
    requests = tuple(1000.0 + 900 * math.sin(k / 20) for k in range(288))
    assert measured(History(tuple(n * 0.01 for n in requests), requests)) == 1.0


def test_an_outage_yesterday_does_not_blind_the_gate() -> None:
    assert measured(History((0.0,) * 200 + (6000.0,) + (0.0,) * 87, (6000.0,) * 288)) == 50.0


@pytest.mark.parametrize(
    "past", [None, history(5, windows=23), History((0.0,) * 50, (100.0,) * 50), History((math.nan,) * 50, (1.0,) * 50)]
)
def test_without_a_history_it_is_one(past: History | None) -> None:
    assert measured(past) == 1.0


def test_the_policy_may_say_it() -> None:
    assert factor(every_second(burst=7.0), history(1)) == 7.0
    assert factor(every_second(burst=0.2), None) == 1.0
    assert factor(every_second(burst=None), history(5)) > 3
