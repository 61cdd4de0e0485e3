"""Weights that are numbers of instances."""

from __future__ import annotations

import pytest

from serinus.release.count import MOST, attainable, choices, had, instances, share, told
from serinus.release.weight import NOTHING, Weight
from tests.release.builders import a_plan


@pytest.mark.parametrize("stable", [1, 2, 3, 4, 7, 19, 20, 100, 999])
def test_what_can_be_had_is_never_more_than_one_instance_off(stable: int) -> None:
    for points in range(1, MOST.points + 1, 7):
        weight = Weight(points)
        given = had(weight, stable)
        count = instances(given, stable)
        assert share(count, stable) == given
        assert given <= weight or count == 1
        assert share(count + 1, stable) > weight
        assert had(given, stable) == given


@pytest.mark.parametrize(
    ("asked", "stable", "given"),
    [(5, 4, 20), (10, 4, 20), (25, 4, 20), (50, 4, 50), (33.33, 4, 33.33), (5, 19, 5), (10, 19, 9.52), (50, 1, 50)],
)
def test_beside_few_instances_the_weights_are_coarse(asked: float, stable: int, given: float) -> None:
    assert had(Weight.of(asked), stable) == Weight.of(given)


def test_no_weight_is_no_instance() -> None:
    assert (instances(NOTHING, 4), share(0, 4), share(0, 0), had(NOTHING, 4)) == (0, NOTHING, NOTHING, NOTHING)


def test_a_plan_takes_the_weights_that_there_are_and_says_so() -> None:
    plan = a_plan(5, 25, 50)
    assert [phase.weight.percent for phase in attainable(plan, 4).phases] == [20, 20, 50]
    assert attainable(plan, None) is plan
    assert told(plan, 4) == "5 % becomes 20 % (1 of 5), 25 % becomes 20 % (1 of 5)"
    assert told(attainable(plan, 4), 4) == ""
    assert choices(2) == "33.33 %, 50 %"
    assert choices(8) == "11.11 %, 20 %, 27.27 %, 33.33 %, 38.46 % and so on to 50 %"
