"""Is what was sent plain data of a size that a policy can have? Asked before any key of it is looked at.

What each key may hold is `structure`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from serinus.errors import Problem
from serinus.policy.document import DEEPEST
from serinus.policy.unit import shown

LARGEST = 2**63 - 1


def unfit(data: Any, where: str = "", depth: int = 0) -> Iterator[Problem]:
    """Numbers too large, texts that cannot be written down, and nesting without end; each with its place."""
    if depth > DEEPEST:
        yield Problem(where, f"nested more than {DEEPEST} deep", "a policy is nested at most six deep")
    elif isinstance(data, str):
        if not data.isascii() and not _writable(data):
            yield Problem(where, "a text with half a character in it", "write whole ones, as UTF-8 has them")
    elif isinstance(data, int):
        if abs(data) > LARGEST:
            yield Problem(where, "is a number of more than 18 digits", "write a smaller one")
    elif isinstance(data, Mapping):
        for key, value in data.items():
            named = shown(key).strip("`")
            yield from unfit(key, where, depth)
            yield from unfit(value, f"{where}.{named}" if where else named, depth + 1)
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from unfit(value, f"{where}[{index}]", depth + 1)


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
