"""Whatever is sent, the answer is a policy or a `PolicyError`, never another exception; and a policy always has a plan."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.errors import PolicyError
from serinus.policy import document
from serinus.policy.explain import explain
from serinus.policy.load import parse
from serinus.policy.model import Content
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
