"""A HOLD for want of a scrape is no news; one that lasts is, and one that calls a person is at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serinus.release.held import SCRAPES, told
from tests.release.builders import a_release


@pytest.mark.parametrize("scrapes", [0.0, 1.0, SCRAPES - 0.1, SCRAPES, 10 * SCRAPES])
def test_it_is_told_once_it_has_stood_for_two_scrapes(scrapes: float) -> None:
    record = a_release().holding("no-new-scrape", since=100.0).record
    now = replace(record, elapsed_seconds=100.0 + scrapes * record.plan.checks.scrape_seconds)
    assert told(now) == ({"no-new-scrape"} if scrapes >= SCRAPES else set())


def test_what_calls_a_person_is_told_at_once() -> None:
    record = a_release().holding("changed", since=100.0).record
    assert told(replace(record, elapsed_seconds=100.0)) == {"changed"}
