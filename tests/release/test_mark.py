"""Closed is a latch."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.release.mark import Mark, Mode
from serinus.release.weight import NOTHING, Weight

OPEN = Mark("r1", 3, 1, Mode.OPEN, Weight.of(5))


@given(st.lists(st.tuples(st.sampled_from(Mode), st.integers(0, 10_000)), max_size=20))
def test_no_order_of_writes_gives_a_closed_canary_weight_again(wishes: list[tuple[Mode, int]]) -> None:
    mark, latched = OPEN, False
    for mode, points in wishes:
        with suppress(ValueError):
            mark = mark.then(mode, Weight(points))
        latched = latched or mark.mode in (Mode.CLOSED, Mode.REPLACED)
        assert not latched or mark.weight == NOTHING


def test_every_write_differs_from_the_one_before() -> None:
    assert OPEN.then(Mode.OPEN, OPEN.weight) != OPEN


def test_a_step_back_is_refused() -> None:
    with pytest.raises(ValueError, match="never becomes open"):
        OPEN.then(Mode.CLOSED, NOTHING).then(Mode.OPEN, NOTHING)
