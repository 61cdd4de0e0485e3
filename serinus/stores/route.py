"""A local route as its store holds it: weights of both sides, the mark, what was there before. Not how any router renders it."""

from __future__ import annotations

import json

from serinus.ports import Route
from serinus.release.mark import Mark, Mode
from serinus.release.weight import WHOLE, Weight


def to_json(weight: Weight, mark: Mark | None, original: str) -> bytes:
    """One revision of the store `route`; a mark is of schema 1, for ever."""
    fields = mark and {
        "schema": 1,
        "release": mark.release,
        "token": mark.token,
        "seq": mark.seq,
        "mode": mark.mode,
        "weight": mark.weight.points,
        "why": mark.why,
    }
    route = {"mark": fields, "stable": weight.stable_points, "canary": weight.points, "original": original}
    return json.dumps(route, ensure_ascii=False).encode()


def from_json(content: bytes, version: str) -> Route:
    """What `to_json` wrote; where no release has marked it, `original` is what stands there now.

    Raises:
        ValueError: no route, or one whose weights do not add up
    """
    try:
        stored = json.loads(content)
        weight, said = Weight(stored["canary"]), stored["mark"]
        if stored["stable"] != weight.stable_points:
            raise ValueError(f"weights {stored['stable']} and {stored['canary']} do not add up to {WHOLE}")
        if said is None:
            return Route(weight, None, version, as_found(weight))
        mark = Mark(
            release=str(said["release"]),
            token=int(said["token"]),
            seq=int(said["seq"]),
            mode=Mode(said["mode"]),
            weight=Weight(said["weight"]),
            why=str(said["why"]),
        )
        return Route(weight, mark, version, str(stored["original"]))
    except (KeyError, TypeError, IndexError, RecursionError) as cause:
        raise ValueError(f"no route: {cause!r}") from cause


def is_route(content: bytes) -> bool:
    """`from_json` reads it."""
    try:
        from_json(content, "")
    except ValueError:
        return False
    return True


def as_found(weight: Weight) -> str:
    """The route's part as a release finds it."""
    return json.dumps({"stable": weight.stable_points, "canary": weight.points})
