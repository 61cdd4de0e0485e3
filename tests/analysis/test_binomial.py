"""The tails against exact sums."""

from __future__ import annotations

from fractions import Fraction
from math import comb, exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.analysis.binomial import at_most, log_beta_tails, tail, worse


def exact(bad: int, of: int, p: Fraction) -> float:
    return float(sum(comb(of, k) * p**k * (1 - p) ** (of - k) for k in range(bad, of + 1)))


@given(st.integers(1, 120), st.data(), st.integers(1, 999))
def test_tails_are_exact(of: int, data: st.DataObject, thousandths: int) -> None:
    bad = data.draw(st.integers(0, of))
    p = Fraction(thousandths, 1000)
    assert tail(bad, of, float(p)) == pytest.approx(exact(bad, of, p), rel=1e-8, abs=1e-280)


def test_two_of_two_at_one_percent_are_one_in_ten_thousand() -> None:
    assert at_most(tail(2, 2, 0.01), 1e-4)


def test_counts_need_not_be_whole() -> None:
    assert tail(2, 100, 0.01) > tail(2.5, 100, 0.01) > tail(3, 100, 0.01)


@pytest.mark.parametrize(
    ("bad", "of", "p", "chance"),
    [(0, 10, 0.1, 1.0), (3, 10, 0.0, 0.0), (3, 10, 1.0, 1.0), (5, 3, 0.5, 0.5**5), (0, 0, 0.5, 1.0)],
)
def test_the_ends(bad: float, of: float, p: float, chance: float) -> None:
    assert tail(bad, of, p) == pytest.approx(chance)


@given(st.floats(1e-9, 1 - 1e-9), st.floats(0.01, 1e6), st.floats(0.01, 1e6))
def test_both_tails_add_up(p: float, a: float, b: float) -> None:
    below, above = log_beta_tails(p, a, b)
    assert exp(below) + exp(above) == pytest.approx(1.0)


def test_large_counts_are_no_problem() -> None:
    assert 0.3 < tail(1_000_000, 100_000_000, 0.01) < 0.7


def test_one_canary_error_at_5_percent_is_one_in_twenty() -> None:
    assert worse(1, 500, 0, 9500) == pytest.approx(0.05)
    assert worse(2, 500, 0, 9500) == pytest.approx(0.0025)


def test_without_anything_beside_it_an_error_is_not_explained() -> None:
    assert worse(1, 500, 0, 0) == 0.0
    assert worse(0, 500, 0, 0) == 1.0
