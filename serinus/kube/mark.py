"""The mark as an annotation: one text that a patch can test whole, with the route's part as it was found beside it.

Schema 1, for ever: a guard of any age must be able to read it. What it allows is `release.mark`'s question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serinus.release.mark import Mark, Mode
from serinus.release.weight import Weight

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Marked:
    """What the annotation says.

    Args:
        mark: the mark
        found: the route's part before any release, as `Route.original` has it
    """

    mark: Mark
    found: str


def to_text(marked: Marked, write: str) -> str:
    """The annotation.

    Args:
        write: unlike that of any write before: the API server drops one that changes nothing, and then it stops nobody
    """
    mark = marked.mark
    fields = {
        "schema": SCHEMA,
        "release": mark.release,
        "token": mark.token,
        "seq": mark.seq,
        "mode": mark.mode,
        "weight": mark.weight.points,
        "why": mark.why,
        "found": marked.found,
        "write": write,
    }
    return json.dumps(fields, separators=(",", ":"))


def from_text(text: str) -> Marked | None:
    """What `to_text` wrote; None for anything else, as if no mark were there: then nobody may raise the weight."""
    try:
        said = json.loads(text)
        if not isinstance(said, Mapping) or said["schema"] != SCHEMA:
            return None
        return Marked(_mark(said), str(said["found"]))
    except (KeyError, TypeError, ValueError, RecursionError):
        return None


def write_of(text: str) -> str:
    """Which write it is by; empty where it is none of `to_text`."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return str(said.get("write", "")) if isinstance(said, Mapping) else ""


def _mark(said: Mapping[str, Any]) -> Mark:
    return Mark(
        release=str(said["release"]),
        token=int(said["token"]),
        seq=int(said["seq"]),
        mode=Mode(said["mode"]),
        weight=Weight(said["weight"]),
        why=str(said["why"]),
    )
