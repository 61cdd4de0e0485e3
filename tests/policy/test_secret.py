"""Secrets: named in a policy, never in a text."""

import pytest

from serinus.errors import PolicyError
from serinus.policy.secret import malformed, names, resolve


def test_names_are_replaced() -> None:
    assert names("${A}:${B}:${A}") == ("A", "B")
    assert resolve("Bearer ${A}", {"A": "x${B}"}) == "Bearer x${B}"
    assert resolve("plain", {}) == "plain"


@pytest.mark.parametrize(("secrets", "words"), [({}, "not set"), ({"TOKEN": ""}, "empty")])
def test_a_missing_one_is_named(secrets: dict[str, str], words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        resolve("${TOKEN}", secrets, "telemetry.prometheus.token", "shop.yaml")
    assert str(caught.value) == f"shop.yaml: telemetry.prometheus.token: the secret `TOKEN` is {words}; set TOKEN"


def test_what_is_no_name_is_seen() -> None:
    assert malformed("$TOKEN")
    assert malformed("${my token}")
    assert malformed("${A}${")
    assert not malformed("${A} and ${B_2}")
