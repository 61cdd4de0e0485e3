"""Policies as text and data, the shortest that are whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from serinus.errors import PolicyError, Problem
from serinus.policy.load import Policy, parse

SHORTEST: Mapping[str, Any] = {"service": "shop", "workload": "local", "router": "envoy", "preset": "plan"}


def a_policy(**keys: Any) -> Policy:
    """The plan's preset with these keys beside it."""
    return parse({**SHORTEST, **keys}, "test")


def refused(**keys: Any) -> tuple[Problem, ...]:
    """What is wrong with the plan's preset and these keys beside it."""
    with pytest.raises(PolicyError) as caught:
        a_policy(**keys)
    return caught.value.problems


def the_problem(**keys: Any) -> Problem:
    """The only thing that is wrong."""
    problems = refused(**keys)
    assert len(problems) == 1, problems
    return problems[0]


def phases(*weights: str, soak: str = "5m") -> list[dict[str, str]]:
    return [{"weight": weight, "soak": soak} for weight in weights]
