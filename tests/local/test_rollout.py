"""As many as wanted always serve, and every rollout ends."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from serinus.local.rollout import SURGE, Wanted, next_step


@dataclass
class One:
    name: str
    template: str
    serving: bool = False
    leaving: bool = False


def wanted(template: str, replicas: int) -> Wanted:
    return Wanted(template, template, replicas, "1")


def some(template: str, count: int, serving: bool = True) -> list[One]:
    return [One(f"{template}-{number}", template, serving) for number in range(count)]


def test_all_start_at_once_where_nothing_runs() -> None:
    assert next_step(wanted("a", 3), []).start == 3


def test_a_rollout_starts_one_more_and_takes_nobody_away_before_it_serves() -> None:
    step = next_step(wanted("b", 3), some("a", 3))
    assert (step.start, step.leave) == (SURGE, ())


def test_one_that_serves_lets_one_old_go() -> None:
    assert next_step(wanted("b", 3), some("a", 3) + some("b", 1)).leave == ("a-0",)


def test_an_old_one_that_serves_nobody_goes_at_once() -> None:
    assert next_step(wanted("b", 2), some("a", 1, serving=False) + some("b", 1, serving=False)).leave == ("a-0",)


def test_of_too_many_those_go_that_serve_nobody_then_the_youngest() -> None:
    assert next_step(wanted("a", 1), [*some("a", 2), One("slow", "a")]).leave == ("slow", "a-1")


def test_none_wanted_takes_all_away() -> None:
    assert next_step(wanted("a", 0), some("a", 2)).leave == ("a-1", "a-0")


@given(
    st.integers(1, 6),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 6)), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
)
def test_a_change_at_any_moment_keeps_the_lesser_count_serving_and_ends(
    first: int, changes: list[tuple[str, int]], dice: Random
) -> None:
    here, count = some("a", first), first
    floor = first
    for template, replicas in changes:
        want = wanted(template, replicas)
        floor = min(sum(one.serving for one in here if not one.leaving), replicas)
        for _ in range(dice.randint(0, 60)):
            here, count = moved(want, here, count)
            assert sum(one.serving for one in here if not one.leaving) >= floor
    for _ in range(100):
        here, count = moved(want, here, count)
    assert [one.template for one in here] == [template] * replicas


def moved(want: Wanted, here: list[One], count: int) -> tuple[list[One], int]:
    """One step taken; whoever was started before serves now, whoever was leaving has gone."""
    here = [one for one in here if not one.leaving]
    for one in here:
        one.serving = True
    step = next_step(want, here)
    for one in here:
        one.leaving = one.leaving or one.name in step.leave
    return here + [One(f"new-{count + number}", want.template) for number in range(step.start)], count + step.start
