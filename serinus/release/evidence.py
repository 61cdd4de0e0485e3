"""What was seen, decided and done: numbered lines, each with the hash of the one before.

The chain shows altered, missing and added lines; against a cut tail or a forger only a head that is kept elsewhere helps: the
record, the first line of the next release, a Prefect artifact. How lines are stored is a ledger's question.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LINE_BYTES = 2048
"""A line is at most this long, its newline included."""
FIRST = "0" * 64
"""What the first line names as the hash before it."""
SMALL_BYTES = 256
"""What of a line too long is cut last: names and hashes."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stands: the number and hash of its last line; `Head()` is an empty chain."""

    n: int = 0
    hash: str = FIRST


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was seen, decided or done.

    Args:
        n: 1-based, without gaps
        at: wall time, ISO 8601 in UTC: for people; nothing is decided by it
        seconds: since the release began, on its owner's monotonic clock
        kind: `plan`, `state`, `check`, `weight`, `close`, `canary`, `stable`, `ask`, `gap`, `end`, ...
        data: what it says, plain JSON
        before: hash of line n - 1
    """

    n: int
    at: str
    seconds: float
    kind: str
    data: Mapping[str, Any]
    before: str

    @property
    def text(self) -> str:
        """The line as it is written, without its newline."""
        return json.dumps(
            {
                "n": self.n,
                "at": self.at,
                "seconds": round(self.seconds, 3),
                "kind": self.kind,
                "data": self.data,
                "before": self.before,
            },
            ensure_ascii=False,
            separators=(",", ":"),
            sort_keys=True,
            default=str,
        )

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def head(self) -> Head:
        return Head(self.n, self.hash)


def parse(text: str) -> Line:
    """The line that `Line.text` wrote.

    Raises:
        ValueError: not such a line, or not byte for byte as it would be written
    """
    try:
        text.encode()
    except UnicodeEncodeError as cause:
        raise ValueError("holds bytes that are no text") from cause
    try:
        raw = json.loads(text)
        line = Line(**{name: _of(raw[name], kind) for name, kind in FIELDS.items()})
        written = line.text
    except (KeyError, TypeError, ValueError, RecursionError) as cause:
        raise ValueError("not a line of evidence") from cause
    if written != text:
        raise ValueError("not byte for byte as it was written")
    return line


FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "n": int,
    "at": str,
    "seconds": (int, float),
    "kind": str,
    "data": dict,
    "before": str,
}


def _of(value: Any, kind: type | tuple[type, ...]) -> Any:
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} in place of {kind}")
    return value


def following(head: Head, at: str, seconds: float, kind: str, data: Mapping[str, Any]) -> Line:
    """The line after `head`; strings are cut until it fits into `LINE_BYTES`, then what is large is left out, small things last."""
    for said in _ever_shorter(data):
        line = Line(head.n + 1, at, round(seconds, 3), kind, said, head.hash)
        if len(line.text.encode()) < LINE_BYTES:
            return line
    cut = {"cut": f"{_size(data)} bytes did not fit"}
    return Line(head.n + 1, at, round(seconds, 3), kind, cut, head.hash)


def _ever_shorter(data: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    for longest in (None, 400, 120):
        yield _cut(data, longest)
    plain = _cut(data, None)
    large = {key for key, value in plain.items() if _size(value) > SMALL_BYTES}
    for longest in (40, 10):
        yield {key: _cut(value, longest) if key in large else value for key, value in plain.items()}
    left = {key: f"{_size(value)} bytes did not fit" if key in large else value for key, value in plain.items()}
    for longest in (None, 40, 10):
        yield _cut(left, longest)


def _size(value: Any) -> int:
    return len(json.dumps(value, default=str))


def _cut(value: Any, longest: int | None) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _cut(item, longest) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(item, longest) for item in value]
    if isinstance(value, str) and longest is not None and len(value) > longest:
        return value[: longest - 1] + "…"
    return value


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a chain, and at which line of the text (1-based)."""

    line: int
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}"


def verify(texts: Sequence[str], head: Head | None = None) -> tuple[Fault, ...]:
    """Every fault of a chain; none means that it is whole.

    Args:
        texts: the lines as they lie there, without newlines
        head: where the chain should end, kept elsewhere; without it a cut tail cannot be seen
    """
    return tuple(_faults(texts, head))


def _faults(texts: Sequence[str], head: Head | None) -> Iterable[Fault]:
    at = Head()
    for place, text in enumerate(texts, start=1):
        try:
            line = parse(text)
        except ValueError as cause:
            yield Fault(place, str(cause))
            at = _head(at.n + 1, text)
            continue
        if line.n != at.n + 1:
            yield Fault(place, f"is number {line.n}, not {at.n + 1}: a line is missing or was added")
        elif line.before != at.hash:
            yield Fault(place, f"does not follow line {at.n}: one of the two was changed")
        at = line.head
    if head is not None and at != head:
        yield differing(len(texts), at, "its record", head)


def differing(place: int, at: Head, who: str, head: Head) -> Fault:
    """The fault of a chain that ends elsewhere than somebody else says."""
    return Fault(place, f"the chain ends at {at.n} ({at.hash[:12]}), {who} says {head.n} ({head.hash[:12]})")


def ends_at(texts: Sequence[str]) -> Head:
    """Where a chain ends, as its last line has it."""
    return _head(len(texts), texts[-1]) if texts else Head()


def _head(n: int, text: str) -> Head:
    return Head(n, hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest())
