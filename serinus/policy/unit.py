"""How a number with a unit is written and read: durations and percentages.

A bare number is refused, with what would be right; nothing here knows which key it belongs to.
"""

from __future__ import annotations

import math
import re
from typing import Any

LONGEST_SECONDS = 366 * 86_400.0
"""Longer is a slip of the pen."""

_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(
    r"(?=\d)(?:\d+(?:\.\d+)?h)?(?:\d+(?:\.\d+)?m(?!s))?(?:\d+(?:\.\d+)?s)?(?:\d+(?:\.\d+)?ms)?", re.ASCII
)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)", re.ASCII)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%", re.ASCII)

DURATION_PATTERN = r"^(?=\d)(\d+(\.\d+)?h)?(\d+(\.\d+)?m(?!s))?(\d+(\.\d+)?s)?(\d+(\.\d+)?ms)?$"
"""The same for JSON schema."""
PERCENT_PATTERN = r"^\d+(\.\d+)? ?%$"


class UnitError(ValueError):
    """Not such a value; `found` and `right` are the two halves of a problem."""

    def __init__(self, found: str, right: str) -> None:
        self.found = found
        self.right = right
        super().__init__(f"{found}; {right}")


def _bare(value: Any) -> str | None:
    """The number that was written without a unit, if it is one.

    Raises:
        UnitError: infinite, or not a number
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        raise UnitError(f"{shown(value)} is not a number that a limit can be", "write a finite one")
    if isinstance(value, int | float):
        return str(value) if isinstance(value, int) else f"{value:g}"
    text = str(value).strip()
    return text if re.fullmatch(r"[+-]?\d+(?:\.\d+)?", text, re.ASCII) else None


def shown(value: Any) -> str:
    """What stood there, short enough for a message."""
    if value is None:
        return "nothing"
    try:
        text = value if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):  # an endless number, or nesting without end
        text = type(value).__name__
    text = text.encode(errors="backslashreplace").decode()
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"


def seconds(value: Any) -> float:
    """A duration such as `500ms`, `8s`, `5m`, `1h`, `1h30m`, in seconds.

    Raises:
        UnitError: not a duration; a bare number is none
    """
    number = _bare(value)
    if number is not None:
        raise UnitError(f"{shown(value)} has no unit", f"write {number}s, {number}m or {number}ms")
    if not isinstance(value, str) or not _DURATION.fullmatch(value.strip()):
        raise UnitError(f"{shown(value)} is not a duration", "write one such as 500ms, 8s, 5m, 1h or 1h30m")
    total = sum(float(count) * _SECONDS[unit] for count, unit in _PART.findall(value))
    if total > LONGEST_SECONDS:
        raise UnitError(f"{shown(value)} is longer than a year", "write a duration such as 5m")
    return round(total, 6)


def latency(value: Any) -> float:
    """A duration that a request takes, in seconds: a bare number of some size was meant in milliseconds.

    Raises:
        UnitError: as `seconds`
    """
    number = _bare(value)
    if number is not None and float(number) >= 10:
        raise UnitError(f"{shown(value)} has no unit", f"write {number}ms")
    return seconds(value)


def percent(value: Any) -> float:
    """A percentage such as `5%` or `0.1%`, in percent.

    Raises:
        UnitError: not a percentage; a bare number is none
    """
    number = _bare(value)
    if number is not None:
        fraction = float(number)
        other = f", or {fraction * 100:g}% if a fraction was meant" if 0 < fraction < 1 else ""
        raise UnitError(f"{shown(value)} has no unit", f"write {number}%{other}")
    match = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise UnitError(f"{shown(value)} is not a percentage", "write one such as 5% or 0.1%")
    return float(match[1])


def number(value: Any, unit: str) -> float:
    """A limit on a query's number, in the query's own unit: `500ms` of unit `s` is 0.5, of unit `ms` 500.

    Raises:
        UnitError: no number, or its unit is not the query's
    """
    if unit in ("s", "ms"):
        return round(seconds(value) * (1000 if unit == "ms" else 1), 6)
    if unit in ("%", "ratio"):
        return percent(value) if unit == "%" else round(percent(value) / 100, 9)
    bare = _bare(value)
    if bare is None:
        right = "write a bare number, or say the query's unit: `unit: s`, `ms`, `%` or `ratio`"
        raise UnitError(f"{shown(value)} is not a bare number", right)
    result = float(bare)
    if not math.isfinite(result):
        raise UnitError(f"{shown(value)} is not a number", "write a finite number")
    return result


def show_seconds(value: float) -> str:
    """A duration as a person would write it: `5m`, `1h30m`, `500ms`, `2.5s`."""
    if value < 1:
        return f"{value * 1000:g}ms" if value else "0s"
    hours, rest = divmod(value, 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{hours:g}h" if hours else "", f"{minutes:g}m" if minutes else "", f"{round(left, 3):g}s" if left else ""]
    return "".join(parts)


def show_percent(value: float) -> str:
    """A percentage as a person would write it: `5%`, `0.1%`."""
    return f"{round(value, 6):.6f}".rstrip("0").rstrip(".") + "%"
