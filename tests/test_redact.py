"""No secret survives in a text of somebody else's."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from serinus.redact import redact


def for_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def for_an_address(text: str) -> str:
    return quote(text, safe="")


@pytest.mark.parametrize("write", [str, repr, json.dumps, for_json, for_an_address, quote])
def test_a_secret_is_hidden_however_it_was_written(write: Callable[[str], str]) -> None:
    secret = 'q/"7"/ü&7\\'
    left = redact(f"x {write(secret)} y", [secret, ""])
    assert left.replace('"', "").replace("'", "") == "x *** y"


def test_the_longer_one_is_hidden_first() -> None:
    assert redact("abc", ["ab", "abc"]) == "***"


def test_what_is_no_secret_stays() -> None:
    assert redact("x y", ["", "z"]) == "x y"
