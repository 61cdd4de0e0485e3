"""Whatever is sent, the answer is a policy or a `PolicyError`, never another exception; and a policy always has a plan."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.errors import PolicyError
from serinus.policy import document
from serinus.policy.explain import explain
from serinus.policy.load import parse, read
from serinus.policy.model import Content
from serinus.wiring import plan_of
from tests.policy.builders import SHORTEST

WORDS = st.sampled_from(
    [
        "off",
        "log",
        "5%",
        "100%",
        "0%",
        "1s",
        "5m",
        "0s",
        "plan",
        "local",
        "envoy",
        "advance",
        "hold",
        "$canary",
        "${A}",
        "http://x",
        "[::1",
        "${A}//[::1",
    ]
)
LEAF = st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(max_size=6) | WORDS
DEEPER = [
    "max",
    "min",
    "abort_above",
    "weight",
    "soak",
    "error_rate",
    "latency_p99",
    "success_rate",
    "custom",
    "query",
    "name",
    "unit",
    "interval",
    "window",
    "scrape",
]
FURTHER = [
    "prometheus",
    "url",
    "token",
    "headers",
    "speed",
    "warm_up",
    "burst",
    "bad_requests",
    "duration",
    "inconclusive",
    "a.b[0]",
]
KEYS = st.sampled_from([*Content.model_fields, *DEEPER, *FURTHER])
ANYTHING = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(KEYS, ANYTHING, max_size=5))
def test_any_data_is_a_policy_or_refused(data: dict[str, Any]) -> None:
    try:
        policy = parse({**SHORTEST, **data})
    except PolicyError as error:
        told = [problem.found and problem.right for problem in error.problems]
    else:
        told = [explain(policy, "v2", 100).service]
    assert all(told)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40) | st.text(alphabet="a:-[]{}&*!?|>#%@ \n\t'\"0", max_size=60))
def test_any_text_is_a_document_or_refused(text: str) -> None:
    with contextlib.suppress(PolicyError):
        assert isinstance(document.parse(text, "p").data, dict)


def nested(depth: int) -> list[Any]:
    deep: list[Any] = []
    for _ in range(depth):
        deep = [deep]
    return deep


ODD = {"nan": math.nan, "inf": math.inf, "digits": 10**5000, "half a character": "\ud800", "deep": nested(5000)}
PLACES: tuple[tuple[str, ...], ...] = (
    *((key,) for key in Content.model_fields),
    ("gates", "error_rate", "max"),
    ("gates", "latency_p99", "abort_above"),
    ("checks", "min_requests"),
    ("limits", "bad_requests"),
    ("rehearsal", "speed"),
    ("a key of nobody",),
)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_an_odd_value_is_a_problem_that_can_be_written_down(place: tuple[str, ...], odd: Any) -> None:
    sent = odd
    for key in reversed(place):
        sent = {key: sent}
    with pytest.raises(PolicyError) as caught:
        plan_of("shop", "v2", {**SHORTEST, **sent})
    assert str(caught.value).encode()


@pytest.mark.parametrize("key", ["\ud800", 10**5000, None, 1.5, True], ids=lambda key: type(key).__name__)
def test_an_odd_key_is_a_problem_that_can_be_written_down(key: Any) -> None:
    for sent in ({key: 1}, {"gates": {key: {"max": "1%"}}}, {"checks": {key: 1}}):
        with pytest.raises(PolicyError) as caught:
            plan_of("shop", "v2", {**SHORTEST, **sent})
        assert str(caught.value).encode()


@pytest.mark.parametrize(("service", "version"), [("\ud800", "v2"), ("shop", "\ud800"), ("shop", "v" * 5000)])
@pytest.mark.parametrize("policy", [None, SHORTEST], ids=["by name", "sent"])
def test_an_odd_name_is_refused(service: str, version: str, policy: dict[str, Any] | None) -> None:
    with pytest.raises(PolicyError) as caught:
        plan_of(service, version, policy)
    assert len(str(caught.value).encode()) < 500


@pytest.mark.parametrize("written", [".nan", ".inf"])
@pytest.mark.parametrize("key", ["bake: {}", "gates: {{error_rate: {{max: {}}}}}", "rehearsal: {{speed: {}}}"])
def test_a_file_with_what_is_no_number_says_so(tmp_path: Path, key: str, written: str) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(f"service: shop\nworkload: local\nrouter: envoy\npreset: plan\n{key.format(written)}\n")
    with pytest.raises(PolicyError, match="line 5: .*is not a number that a limit can be; write a finite"):
        read(file)
