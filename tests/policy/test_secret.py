"""Secrets: named in a policy, never in a text."""

import json
from urllib.parse import quote

import pytest

from serinus.errors import PolicyError
from serinus.policy.secret import malformed, names, redact, resolve


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


@pytest.mark.parametrize("write", [str, lambda text: json.dumps(text), lambda text: quote(text, safe="")])
def test_a_secret_is_hidden_however_it_was_written(write) -> None:  # type: ignore[no-untyped-def]
    secret = 'a "b"/ü&c'
    assert "b" not in redact(f"x {write(secret)} y", [secret, "", "a"]).replace("\\", "")
    assert redact("x y", ["", "z"]) == "x y"
