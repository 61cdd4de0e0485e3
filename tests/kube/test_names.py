"""Every name fits where it must stand, and no two objects get the same."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from serinus.kube.names import LONGEST, canary_name, shortened
from serinus.policy.value import SERVICE

NAMES = st.from_regex(SERVICE, fullmatch=True)


def test_a_short_name_is_written_out() -> None:
    assert canary_name("shop") == "shop-canary"


@given(NAMES)
def test_a_canary_s_name_is_a_service_s_too(name: str) -> None:
    made = canary_name(name)
    assert len(made) <= LONGEST
    assert re.fullmatch(SERVICE, made)


def test_names_that_begin_alike_stay_apart() -> None:
    one, other = "a" * 62 + "b", "a" * 62 + "c"
    assert canary_name(one) != canary_name(other)
    assert shortened(one + "-20261124") != shortened(other + "-20261124")
