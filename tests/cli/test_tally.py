"""What each arm served, also where its counters begin and end meanwhile."""

from __future__ import annotations

from itertools import pairwise

from serinus.cli.tally import NONE, Tally
from serinus.local.traffic import Served


def test_an_arm_that_is_made_counts_from_nothing_and_keeps_what_it_served_once_it_is_gone() -> None:
    tally = Tally({"stable": NONE, "canary": NONE})
    looks = (
        {"stable": Served(100, 3), "canary": NONE},
        {"stable": Served(150, 3), "canary": Served(5, 1)},
        {"stable": Served(190, 4), "canary": Served(20, 6)},
        {"stable": Served(240, 4), "canary": NONE},
    )
    for before, now in pairwise(looks):
        tally.read(before, now)
    assert tally.came == {"stable": Served(140, 1), "canary": Served(20, 6)}


def test_one_that_was_made_anew_between_two_looks_loses_none_of_its_own() -> None:
    tally = Tally({"canary": NONE})
    tally.read({"canary": Served(20, 6)}, {"canary": Served(7, 2)})
    assert tally.came == {"canary": Served(7, 2)}
