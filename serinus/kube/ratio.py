"""A canary's Deployment as a route: its number of pods is its weight, its mark is an annotation; and the patch that sets both. Pure.

Stable's own number is never written. How many pods a weight is says `release.count`; whether they serve is the router's question.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serinus.errors import Refused
from serinus.kube import mark as annotation
from serinus.kube import writer
from serinus.kube.names import mark_annotation
from serinus.kube.patch import Object, Operation, at_version, drop, entry, pointer, put, test
from serinus.ports import Route
from serinus.release.count import MOST, instances, share
from serinus.release.mark import Mark
from serinus.release.weight import NOTHING

_REPLICAS = pointer("spec", "replicas")


@dataclass(frozen=True, slots=True)
class Beside:
    """What a canary stands beside, before any release.

    Args:
        stable: pods that stable should have
        selected: stable's Service sends requests to pods of the canary's labels
    """

    stable: int
    selected: bool = True

    def text(self) -> str:
        """As `Route.original` has it."""
        return json.dumps({"stable": self.stable})


def marked(canary: Object | None, service: str) -> bool:
    """Whether its own mark says what it stands beside."""
    return _marked(canary, service) is not None


def wrote(canary: Object, service: str, write: str) -> bool:
    """Whether this very write is the last one of the mark that stands there."""
    return annotation.write_of(_text(canary, service) or "") == write


def route(canary: Object | None, service: str, beside: Beside | None) -> Route:
    """What the Deployment says.

    Args:
        canary: None where there is none: then nothing goes to it
        beside: where it is not `marked`
    """
    found = _marked(canary, service)
    original = found.found if found else beside.text() if beside else ""
    stable = _stable(original)
    version = _version(canary, service, original)
    if canary is None:
        return Route(NOTHING, None, version, original, stable)
    count = canary["spec"]["replicas"]
    if found is None:
        selected = beside is None or beside.selected
        return Route(share(count, stable) if selected else NOTHING, None, version, original, stable)
    as_marked = count == instances(found.mark.weight, stable)
    weight = found.mark.weight if as_marked else share(count, stable)
    return Route(weight, found.mark, version, original, stable, writer=writer.last(canary))


def marking(canary: Object, service: str, mark: Mark, original: str, write: str) -> list[Operation]:
    """The patch for the number of pods and the mark together, on the Deployment as it was seen alone.

    Raises:
        Refused: no number of pods is that weight
    """
    stable = _stable(original)
    if mark.weight > MOST:
        raise Refused(f"{mark.weight} cannot be had by a number of pods: {MOST} is the most")
    if mark.weight != NOTHING and not stable:
        raise Refused("a weight cannot be had by a number of pods beside none of stable's")
    before = _marked(canary, service)
    first = before is None or before.mark.release != mark.release
    said = annotation.to_text(annotation.Marked(mark, original), write)
    return [
        *_tests(canary, service, fresh=first),
        entry(canary, "annotations", mark_annotation(service), said),
        put(_REPLICAS, instances(mark.weight, stable)),
    ]


def restoring(canary: Object, service: str) -> list[Operation]:
    """The patch that takes the mark off and leaves no pod: one that others had any of was never begun with."""
    path = pointer("metadata", "annotations", mark_annotation(service))
    taken_off = [drop(path)] if _text(canary, service) is not None else []
    return [*_tests(canary, service, fresh=True), *taken_off, put(_REPLICAS, 0)]


def rehearsing(stable: Object) -> list[Operation]:
    """What a dry run tries on stable's Deployment where there is no canary's yet: the same right, and nothing of it changed."""
    return [test("/metadata/uid", stable["metadata"]["uid"]), put(_REPLICAS, stable["spec"]["replicas"])]


def _tests(canary: Object, service: str, *, fresh: bool) -> list[Operation]:
    """What must still stand there; where the mark comes or goes, nothing may have been written at all."""
    text = _text(canary, service)
    path = pointer("metadata", "annotations", mark_annotation(service))
    return [
        *([at_version(canary)] if fresh or text is None else []),
        *([test(path, text)] if text is not None else []),
        test("/metadata/uid", canary["metadata"]["uid"]),
        test(_REPLICAS, canary["spec"]["replicas"]),
    ]


def _version(canary: Object | None, service: str, original: str) -> str:
    """Unmarked it has nothing of ours that changes with every write, so its generation tells two of its lives apart."""
    if canary is None:
        about: list[Any] = [original]
    else:
        text, metadata = _text(canary, service), canary["metadata"]
        about = [metadata["uid"], text or metadata["generation"], canary["spec"]["replicas"], original]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]


def _stable(original: str) -> int:
    """Pods that stable had when the release began; 0 of a text that somebody edited: then no weight can be had."""
    try:
        said = json.loads(original)
        return max(int(said["stable"]), 0)
    except (ValueError, KeyError, TypeError):
        return 0


def _marked(canary: Object | None, service: str) -> annotation.Marked | None:
    text = _text(canary, service)
    return annotation.from_text(text) if text is not None else None


def _text(canary: Mapping[str, Any] | None, service: str) -> str | None:
    text = ((canary or {}).get("metadata", {}).get("annotations") or {}).get(mark_annotation(service))
    return None if text is None else str(text)
