"""Numbers with units, written and read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.policy.unit import UnitError, latency, number, percent, seconds, show_percent, show_seconds, shown


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5m", 300),
        ("8s", 8),
        ("500ms", 0.5),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("0s", 0),
        ("2m5s250ms", 125.25),
    ],
)
def test_durations_are_read(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    "value", ["", "5 minutes", "m", "-5m", "5m5h", "5d", "١m", "99999h", None, True, [], {}, "5%", "5e3s"]
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(UnitError):
        seconds(value)


@pytest.mark.parametrize("value", [5, 0.5, "5", 0, 10**400])
def test_a_bare_number_is_refused_with_what_would_be_right(value: object) -> None:
    with pytest.raises(UnitError, match=r"has no unit; write .*s, "):
        seconds(value)
    with pytest.raises(UnitError, match=r"has no unit; write .*%"):
        percent(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_finite_number_is_told_as_that(value: float) -> None:
    for read in (seconds, percent, latency, lambda value: number(value, ""), lambda value: number(value, "s")):
        with pytest.raises(UnitError, match="is not a number that a limit can be; write a finite one"):
            read(value)


def test_whatever_stood_there_can_be_shown() -> None:
    deep: list[object] = []
    for _ in range(50_000):
        deep = [deep]
    for odd in (10**5000, deep, "\ud800", "x" * 5000):
        assert len(shown(odd).encode()) < 80


def test_a_fraction_is_told_as_a_percentage() -> None:
    with pytest.raises(UnitError, match=r"write 0.05%, or 5% if a fraction was meant"):
        percent(0.05)


@pytest.mark.parametrize(("text", "value"), [("99%", 99), ("0.1%", 0.1), ("5 %", 5), ("0%", 0)])
def test_percentages_are_read(text: str, value: float) -> None:
    assert percent(text) == value


@pytest.mark.parametrize("value", ["", "%", "-1%", "5", "5m", None, True, "5%%"])
def test_what_is_no_percentage_is_refused(value: object) -> None:
    with pytest.raises(UnitError):
        percent(value)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("500ms", "s", 0.5),
        ("500ms", "ms", 500),
        ("5%", "%", 5),
        ("5%", "ratio", 0.05),
        (100, "", 100),
        ("100", "jobs", 100),
    ],
)
def test_a_querys_limit_is_in_the_querys_unit(value: object, unit: str, expected: float) -> None:
    assert number(value, unit) == expected


@pytest.mark.parametrize(
    ("value", "unit"), [("500ms", ""), (500, "s"), (5, "ratio"), (float("nan"), ""), (float("inf"), ""), ("x", "")]
)
def test_a_limit_of_another_unit_is_refused(value: object, unit: str) -> None:
    with pytest.raises(UnitError):
        number(value, unit)


@given(st.integers(min_value=0, max_value=300 * 86_400_000))
def test_what_is_shown_is_read_as_the_same(milliseconds: int) -> None:
    value = milliseconds / 1000
    assert seconds(show_seconds(value)) == pytest.approx(value, abs=1e-3)


@given(st.integers(min_value=0, max_value=100_000))
def test_percentages_that_are_shown_are_read_as_the_same(points: int) -> None:
    assert percent(show_percent(points / 1000)) == points / 1000
