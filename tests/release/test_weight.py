"""One number, two sides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.release.weight import EVERYTHING, NOTHING, WHOLE, Weight


@given(st.integers(0, WHOLE))
def test_weights_add_up(points: int) -> None:
    weight = Weight(points)
    assert weight.points + weight.stable_points == WHOLE
    assert Weight.of(weight.percent) == weight


@pytest.mark.parametrize("points", [-1, WHOLE + 1])
def test_what_is_no_weight_is_refused(points: int) -> None:
    with pytest.raises(ValueError, match="0 to 100 %"):
        Weight(points)


def test_it_reads_as_people_write_it() -> None:
    assert [str(w) for w in (NOTHING, Weight.of(2.5), EVERYTHING)] == ["0 %", "2.5 %", "100 %"]
