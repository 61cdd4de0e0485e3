"""Selectors mean what the API server means by them."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.kube.selector import asked, matches

WEB = {"app": "shop", "track": "stable"}


@pytest.mark.parametrize(
    ("selector", "does", "text"),
    [
        ({}, True, ""),
        ({"matchLabels": {"app": "shop"}}, True, "app=shop"),
        ({"matchLabels": {"app": "shop", "track": "canary"}}, False, "app=shop,track=canary"),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["shop", "web"]}]}, True, "app in (shop,web)"),
        ({"matchExpressions": [{"key": "track", "operator": "NotIn", "values": ["stable"]}]}, False, "track notin (stable)"),
        ({"matchExpressions": [{"key": "old", "operator": "NotIn", "values": ["x"]}]}, True, "old notin (x)"),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True, "app"),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False, "!app"),
        ({"matchLabels": {"app": "shop"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]}, False, "app=shop,x"),
    ],
)  # fmt: skip
def test_a_selector(selector: dict[str, Any], does: bool, text: str) -> None:
    assert matches(selector, WEB) is does
    assert asked(selector) == text
