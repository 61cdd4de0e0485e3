"""Is every key known and every value of its kind? Turns what pydantic found into problems that name what would be right.

Whether sound values fit together is `consistency`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from serinus.errors import Problem
from serinus.policy.gate import LATENCY, Gates
from serinus.policy.model import Content
from serinus.policy.unit import shown

Location = tuple[int | str, ...]
STAND_IN: Mapping[str, Any] = {"service": "service", "workload": "local", "router": "envoy"}
"""What a file without its required keys is looked at with, so that its other mistakes are told at once."""
COMMON_LATENCIES = ("latency_p50", "latency_p90", "latency_p95", "latency_p99", "latency_p99.9")
RIGHT = {
    "string_type": "write a word or text",
    "int_type": "write a whole number",
    "int_from_float": "write a whole number",
    "float_type": "write a number",
    "model_type": "write keys and values under it",
    "dict_type": "write keys and values under it",
    "tuple_type": "write a list",
    "string_too_short": "write something here",
    "union_tag_invalid": "write one of the known words",
}
"""What would be right, by pydantic's type of error; other types say it themselves."""
BUILT: Mapping[Location, str] = {
    ("workload",): "write `local` or `kubernetes`: no other workload is built yet",
    ("router",): "write `envoy`, `contour`, `gateway-api` or `replicas`: no other router is built yet",
}
"""What would be right where a platform is named that is still to come."""


def examined(data: Mapping[str, Any]) -> tuple[Content, tuple[Problem, ...], frozenset[str]]:
    """The content, as far as it is sound.

    Returns:
        the content with unsound sections left at their defaults; every problem; the sections (first keys) that are unsound
    """
    strangers = tuple(_unknown_gates(data))
    try:
        content, errors = Content.model_validate(data), []
    except ValidationError as failure:
        content, errors = None, failure.errors(include_url=False)
    errors = [error for error in errors if not any(_within(error["loc"], place) for place, _ in strangers)]
    problems = (*(problem for _, problem in strangers), *_problems(errors))
    if content is not None and not problems:
        return content, (), frozenset()
    bad = frozenset(
        str(place[0]) for place in (*(place for place, _ in strangers), *(e["loc"] for e in errors)) if place
    )
    sound = {key: value for key, value in data.items() if isinstance(key, str) and key not in bad}
    return Content.model_validate({**STAND_IN, **sound}), problems, bad


def dotted(location: Location) -> str:
    """`phases[1].weight`"""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return text.removeprefix(".")


def _within(location: Location, place: Location) -> bool:
    return location[: len(place)] == place


def _problems(errors: Sequence[ErrorDetails]) -> Iterator[Problem]:
    """A problem an error; a missing key that stands there misspelt is told once."""
    unknown = [error["loc"] for error in errors if error["type"] == "extra_forbidden"]
    misspelt = {(*loc[:-1], nearest(str(loc[-1]), _keys(loc[:-1]))) for loc in unknown}
    for error in errors:
        loc = error["loc"]
        if error["type"] == "missing" and loc in misspelt:
            continue
        yield _problem(error)


def _problem(error: ErrorDetails) -> Problem:
    loc, kind, given = error["loc"], error["type"], error.get("ctx", {})
    where = dotted(loc)
    if kind == "policy":
        return Problem(where, str(given["found"]), str(given["right"]))
    if kind == "missing":
        return Problem(where, "is missing", f"add it: {_describe(loc)}")
    if kind == "extra_forbidden":
        return unknown_key(loc, _keys(loc[:-1]))
    if loc in BUILT:
        return Problem(where, shown(error["input"]), BUILT[loc])
    secret = {"token", "password", "headers"} & set(map(str, loc))
    found = "a value of another kind" if secret else shown(error["input"])
    if "expected" in given:
        return Problem(where, found, f"write {str(given['expected']).replace(chr(39), '`')}")
    if kind == "invalid_key":
        return Problem(dotted(loc[:-1]), "a key is not a word", "write words as keys")
    if isinstance(error["input"], float) and not math.isfinite(error["input"]) and kind not in RIGHT:
        return Problem(where, f"{found} is not a number that a limit can be", "write a finite number")
    right = RIGHT.get(kind) or error["msg"].replace("Input should be", "write something").replace("Tuple", "The list")
    return Problem(where, found, right)


def unknown_key(location: Location, known: Sequence[str]) -> Problem:
    """A key that nobody knows, with the nearest that there is."""
    key = str(location[-1])
    where = dotted(location)
    if key in ("True", "true") and "on" in known:
        return Problem(where, "an older YAML reader took `on` for a truth value", "write it in quotes: 'on'")
    guess = nearest(key, known)
    if guess:
        return Problem(where, f"`{key}` is not a known key", f"did you mean `{guess}`?")
    if location[:-1] in BUILT:
        return Problem(where, f"`{key}` is not a known key", BUILT[location[:-1]])
    listed = ", ".join(known) if known else "no keys at all"
    return Problem(where, f"`{key}` is not a known key", f"this version knows {listed}")


def nearest(key: str, known: Sequence[str]) -> str | None:
    """The known key that was probably meant."""
    word = key.lower().replace("-", "_")
    begun = (name for name in known if len(word) > 2 and (name.startswith(word) or word.startswith(name)))
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.7)
    return near[0] if near else next(begun, None)


def _unknown_gates(data: Mapping[str, Any]) -> Iterator[tuple[Location, Problem]]:
    """Gates whose name is none: every other name is that of a latency gate, which the model cannot know beforehand."""
    phases = data.get("phases")
    places: list[tuple[Location, Any]] = [(("gates",), data.get("gates"))]
    for index, phase in enumerate(phases if isinstance(phases, list | tuple) else ()):
        places.append((("phases", index, "gates"), phase.get("gates") if isinstance(phase, Mapping) else None))
    known = (*Gates.model_fields, *COMMON_LATENCIES)
    for place, gates in places:
        for name in gates if isinstance(gates, Mapping) else ():
            if name not in Gates.model_fields and not (isinstance(name, str) and LATENCY.fullmatch(name)):
                yield (*place, name), unknown_key((*place, name), known)


def model_at(location: Location) -> type[BaseModel] | None:
    """The model that stands at a place of the policy; None where there is a plain value or mapping."""
    here: type[BaseModel] | None = Content
    for step in location:
        if isinstance(step, int) or here is None:
            continue
        field = _fields(here).get(step)
        here = _first_model(field.annotation) if field is not None else None
    return here


def _first_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_first_model(part) for part in get_args(annotation))
    return next((model for model in found if model is not None), None)


def _keys(location: Location) -> tuple[str, ...]:
    if len(location) > 1 and location[-2] == "gates":
        return (
            ("max", "abort_above", "warm_up") if location[-1] != "success_rate" else ("min", "abort_below", "warm_up")
        )
    model = model_at(location)
    return tuple(_fields(model)) if model is not None else ()


def _fields(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """By the keys as they are written."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _describe(location: Location) -> str:
    model = model_at(location[:-1])
    field = _fields(model).get(str(location[-1])) if model is not None else None
    text = field.description if field is not None and field.description else "a value"
    return text[0].lower() + text[1:].rstrip(".")
