"""Certificates: how many requests prove a limit."""

from __future__ import annotations

from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.analysis.one_sample import certified, log_broken, log_kept, needed


@pytest.mark.parametrize(("errors", "requests"), [(0, 367), (1, 657), (3, 1080)])
def test_a_limit_of_one_percent(errors: int, requests: int) -> None:
    assert needed(0.01, errors) == requests


def test_a_tenth_of_a_percent_takes_ten_times_as_many() -> None:
    assert needed(0.001) == 3678


@given(st.floats(1e-5, 0.9), st.integers(0, 2000))
def test_needed_is_the_fewest(limit: float, errors: int) -> None:
    requests = needed(limit, errors)
    assert certified(errors, requests, limit)
    assert requests == 0 or not certified(errors, requests - 1, limit)


@given(st.integers(1, 25), st.sampled_from([0.01, 0.1, 0.5]))
def test_at_the_limit_itself_the_expected_evidence_is_at_most_one(of: int, limit: float) -> None:
    """What makes them e-values."""
    from math import comb

    for evidence in (log_kept, log_broken):
        mean = sum(
            comb(of, k) * limit**k * (1 - limit) ** (of - k) * exp(evidence(k, of, limit)) for k in range(of + 1)
        )
        assert mean == pytest.approx(1.0, rel=1e-6)


def test_a_broken_limit_shows() -> None:
    assert log_broken(30, 1000, 0.01) > log(1000)
    assert log_broken(5, 1000, 0.01) < 0
