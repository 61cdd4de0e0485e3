"""The kinds of value that a policy has, and how a wrong one is refused: durations, percentages, counts, names.

Which key has which kind is `model` and `gate`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from serinus.policy import unit

SERVICE = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


def wrong(found: str, right: str) -> PydanticCustomError:
    """An error of pydantic's that carries the two halves of a `Problem`."""
    return PydanticCustomError("policy", "{found}; {right}", {"found": found, "right": right})


def _reader(read: Callable[[Any], float], least: float, most: float, right: str) -> BeforeValidator:
    def number(value: Any) -> float:
        try:
            result = read(value)
        except unit.UnitError as error:
            raise wrong(error.found, error.right) from None
        if not least <= result <= most:
            raise wrong(f"{unit.shown(value)} is out of range", right)
        return result

    return BeforeValidator(number)


def _text(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


_DURATION = _text(unit.DURATION_PATTERN, "15s", "5m", "1h")
_PERCENT = _text(unit.PERCENT_PATTERN, "5%", "0.1%")
Duration = Annotated[float, _reader(unit.seconds, 0, 1e12, ""), _DURATION]
"""Seconds, 0 allowed."""
Span = Annotated[float, _reader(unit.seconds, 0.001, 1e12, "write a duration above zero, such as 15s"), _DURATION]
"""Seconds, above 0."""
Latency = Annotated[float, _reader(unit.latency, 0.001, 1e12, "write a duration above zero, such as 500ms"), _DURATION]
"""Seconds that a request takes, above 0."""
Percent = Annotated[float, _reader(unit.percent, 0, 100, "write 0% to 100%"), _PERCENT]
"""Percent, 0 to 100."""
Portion = Annotated[float, _reader(unit.percent, 0, 1000, "write 0% to 1000%"), _PERCENT]
"""Percent of something, may exceed 100."""
Count = Annotated[int, Field(strict=True, ge=1)]


def word(value: Any) -> Any:
    """A word that an older YAML reader took for a truth value is named as that."""
    if isinstance(value, bool):
        raise wrong(f"`{str(value).lower()}` is a truth value", "write the word in quotes, such as 'off' or 'on'")
    return value


WORD = BeforeValidator(word)


def _service(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(SERVICE, value):
        right = "write small letters, digits and dashes, at most 63, such as api-gateway"
        raise wrong(f"{unit.shown(value)} is no service name", right)
    return value


Service = Annotated[str, BeforeValidator(_service), _text(f"^{SERVICE}$", "api-gateway")]
"""A DNS label."""

OBJECT = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"


def _object(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(OBJECT, value):
        right = "write small letters, digits, dashes and dots, as kubectl shows it"
        raise wrong(f"{unit.shown(value)} is no name of an object", right)
    return value


ObjectName = Annotated[str, BeforeValidator(_object), _text(f"^{OBJECT}$", "api-gateway")]
"""Of an object on Kubernetes."""
REPOSITORY = r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*"


def _repository(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(REPOSITORY, value) or re.fullmatch(r"[^/]*:[^/]*", value):
        raise wrong(
            f"{unit.shown(value)} is no image's name alone",
            "write it without tag or digest: a release brings its version",
        )
    return value


Repository = Annotated[str, BeforeValidator(_repository), _text(f"^{REPOSITORY}$", "ghcr.io/team/api-gateway")]
"""Of images."""


def _worded(pattern: str, what: str, right: str) -> BeforeValidator:
    def checked(value: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise wrong(f"{unit.shown(value)} is no {what}", right)
        return value

    return BeforeValidator(checked)


METRIC, LABEL = "[a-zA-Z_:][a-zA-Z0-9_:]*", "[a-zA-Z_][a-zA-Z0-9_]*"
MATCHER = rf'{LABEL}(=|!=|=~|!~)"([^"\\]|\\.)*"'
MATCHERS = f"{MATCHER}(,{MATCHER})*"
Metric = Annotated[
    str,
    _worded(METRIC, "name of a metric", "write letters, digits and underscores, as /metrics shows it"),
    _text(f"^{METRIC}$", "http_requests_total"),
]
"""Of Prometheus."""
Label = Annotated[
    str,
    _worded(LABEL, "name of a label", "write letters, digits and underscores"),
    _text(f"^{LABEL}$", "status"),
]
"""Of Prometheus."""
Matchers = Annotated[
    str,
    _worded(MATCHERS, "list of label matchers", 'write them without braces, such as path!="/healthz"'),
    _text(f"^{MATCHERS}$", 'path!="/healthz"'),
]
"""Label matchers of PromQL, without braces."""


class Part(BaseModel):
    """A mapping of the policy: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
