"""Is a file the whole evidence of one release, and what elsewhere knows where its chain ends?

While a release is its service's newest its record does; later the first line of the release after it. The chain itself is
`evidence`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serinus.release.evidence import Fault, Head, Line, differing, ends_at, parse, verify


@dataclass(frozen=True, slots=True)
class Opening:
    """What a release's first line says of it.

    Args:
        release, service: their names; empty where it does not say them
        follows: the service's release before it, and where that one's chain ended; None for the first, and where none was written
    """

    release: str
    service: str
    follows: tuple[str, Head] | None = None


def following_on(release: str, head: Head) -> dict[str, object]:
    """How a first line names the release before: from then on it holds that one's end."""
    return {"release": release, "n": head.n, "hash": head.hash}


def opening(text: str) -> Opening:
    """What a first line says.

    Raises:
        ValueError: not the first line of a release
    """
    line = parse(text)
    if line.kind != "plan" or line.n != 1:
        raise ValueError(f"is line {line.n}, `{line.kind}`, not the `plan` that a release begins with")
    follows = None
    match line.data.get("follows"):
        case {"release": str(release), "n": int(n), "hash": str(last)}:
            follows = (release, Head(n, last))
    return Opening(str(line.data.get("release", "")), str(line.data.get("service", "")), follows)


@dataclass(frozen=True, slots=True)
class Witness:
    """What knows where a chain ends; `name` is for people."""

    name: str
    head: Head


def verify_log(
    content: str, release: str, witnesses: Sequence[Witness], record: tuple[Line, ...] | None = None
) -> tuple[Fault, ...]:
    """Every fault of a release's log: its chain's, and whether it is that release's, from its plan to its end.

    Args:
        content: the file's, bytes that are no text as surrogates
        release: whose log it says to be
        record: the lines that the release's record still holds; None where there is no record of it
    """
    lines = lines_of(content)
    uncopied = tuple(line.text for line in record or () if line.n > len(lines))
    texts = (*lines, *uncopied)
    at = ends_at(texts)
    told = (differing(max(1, len(texts)), at, one.name, one.head) for one in witnesses if one.head != at)
    return (*_framed(content, texts, release, record is None), *verify(texts), *told)


def lines_of(content: str) -> tuple[str, ...]:
    """The lines as they lie there, a torn one too."""
    return tuple(content.removesuffix("\n").split("\n")) if content else ()


def _framed(content: str, texts: Sequence[str], release: str, over: bool) -> Iterable[Fault]:
    """What its first line and its last one must be."""
    if not texts:
        yield Fault(1, "is empty: a release has at least its `plan` and its `end`")
        return
    try:
        named = opening(texts[0]).release
        if named != release:
            yield Fault(1, f"is the evidence of release {named or 'nobody'}, not of {release}")
    except ValueError as cause:
        yield Fault(1, str(cause))
    if content and not content.endswith("\n"):
        yield Fault(len(lines_of(content)), "has no newline at its end: it was cut")
    if over and not _is_end(texts[-1]):
        yield Fault(len(texts), "is not the `end` of a release that has no record any more: lines are missing after it")


def _is_end(text: str) -> bool:
    try:
        return parse(text).kind == "end"
    except ValueError:
        return False
