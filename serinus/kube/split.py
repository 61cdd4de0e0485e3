"""How one service's traffic is split in an object with rules, each with weighted backends; and the patch that splits it anew. Pure.

A rule is the service's where it names its stable Service or its canary's. Only the weight of stable's entry, the canary's entry,
the mark and its label are ever written: every other rule, backend and field stays as others have it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serinus.errors import Refused
from serinus.kube import mark as annotation
from serinus.kube.names import PREFIX, RELEASE, mark_annotation, shortened
from serinus.kube.patch import Object, Operation, at_version, drop, entry, pointer, put, test
from serinus.ports import Route
from serinus.release.mark import Mark, Mode
from serinus.release.weight import NOTHING, WHOLE, Weight

Backend = dict[str, Any]
PERCENT = 100


@dataclass(frozen=True, slots=True)
class Form:
    """Where a kind of object keeps its backends: `spec.<rules>[].<backends>[]`.

    Args:
        matches: the field of a rule by which it is known again after others moved it
        weight: of a backend that names none
        expected: fields that a backend of ours has with these values, or not at all
    """

    rules: str
    backends: str
    matches: str
    weight: int
    expected: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Split:
    """Whose traffic, in which form.

    Args:
        service: whose mark it is
        stable, canary: names of the two Services
    """

    form: Form
    service: str
    stable: str
    canary: str

    def route(self, seen: Object) -> Route:
        """What the object says.

        Raises:
            Refused: no rule of it sends anything to this service
        """
        rules = self._rules(seen)
        if not rules:
            raise Refused(
                f"{_shown(seen)} sends nothing to {self.stable}: name it as a backend in one of its {self.form.rules}"
            )
        text = self._text(seen)
        marked = annotation.from_text(text) if text is not None else None
        found = (
            marked.found if marked else _compact([{"rule": rule, "backends": there} for rule, there in rules.values()])
        )
        weight = max(self._weight(backends) for _, backends in rules.values())
        # An unmarked object has nothing of ours that changes with every write, so its generation tells two of its lives apart.
        about = [seen["metadata"]["uid"], text, None if marked else seen["metadata"]["generation"], list(rules.items())]
        version = hashlib.sha256(_compact(about).encode()).hexdigest()[:16]
        return Route(weight, marked.mark if marked else None, version, found)

    def marking(self, seen: Object, mark: Mark, found: str, write: str) -> list[Operation]:
        """The patch for weight and mark together, on the object as it was seen alone.

        Args:
            found: the rules as they were before any release
            write: see `mark.to_text`
        """
        before = annotation.from_text(self._text(seen) or "")
        first = before is None or before.mark.release != mark.release
        said = annotation.to_text(annotation.Marked(mark, found), write)
        # A canary that is not in a rule is not put there by a close: its Service may be gone.
        wanted = mark.mode is Mode.OPEN or mark.weight != NOTHING
        return [
            *self._tests(seen, fresh=first),
            entry(seen, "annotations", mark_annotation(self.service), said),
            *([entry(seen, "labels", RELEASE, shortened(mark.release))] if first else []),
            *(
                self._put(index, self._weighed(there, shares(mark.weight), wanted))
                for index, (_, there) in self._rules(seen).items()
            ),
        ]

    def restoring(self, seen: Object, found: str) -> list[Operation]:
        """The patch that puts every rule back as it was found and takes mark and label off."""
        before = _read(found)
        rules = self._rules(seen)
        return [
            *self._tests(seen, fresh=True),
            *(
                [drop(pointer("metadata", "annotations", mark_annotation(self.service)))]
                if self._text(seen) is not None
                else []
            ),
            *self._unlabelled(seen),
            *(
                self._put(index, self._restored(there, _known(before, rule, place, len(rules))))
                for place, (index, (rule, there)) in enumerate(rules.items())
            ),
        ]

    def others(self, seen: Object) -> tuple[str, ...]:
        """Backends besides these two among which a rule of ours splits: their part could not be kept."""
        rules = [[one for one in there if not one.get("mirror")] for _, there in self._rules(seen).values()]
        strange = [one for there in rules for one in there if not self._ours(one)]
        twice = [one for there in rules for at, one in enumerate(there) if self._named(there[:at], one["name"])]
        return tuple(dict.fromkeys(str(one.get("name")) for one in (*strange, *twice)))

    def names_canary(self, seen: Object) -> bool:
        """Whether every rule of ours has the canary among its backends."""
        return all(self._named(there, self.canary) for _, there in self._rules(seen).values())

    def _rules(self, seen: Object) -> dict[int, tuple[str, list[Backend]]]:
        """Ours: by place, what they match and their backends."""
        rules = (seen.get("spec") or {}).get(self.form.rules) or []
        backends = {index: rule.get(self.form.backends) or [] for index, rule in enumerate(rules)}
        ours = (index for index, there in backends.items() if any(self._ours(backend) for backend in there))
        return {index: (_compact(rules[index].get(self.form.matches)), backends[index]) for index in ours}

    def _ours(self, backend: Backend) -> bool:
        return self._is(backend, self.stable) or self._is(backend, self.canary)

    def _is(self, backend: Backend, name: str) -> bool:
        return backend.get("name") == name and all(
            backend.get(key, value) == value for key, value in self.form.expected.items()
        )

    def _weight(self, backends: Sequence[Backend]) -> Weight:
        """The canary's part of what both get."""
        here = {name: [one for one in backends if self._is(one, name)] for name in (self.stable, self.canary)}
        stable, canary = (sum(int(one.get("weight", self.form.weight)) for one in here[name]) for name in here)
        if stable + canary == 0:
            # Contour splits nothing by nothing evenly, others answer with errors: neither is a way to leave it.
            stable, canary = len(here[self.stable]), len(here[self.canary])
        points = round(canary * WHOLE / (stable + canary))
        return Weight(max(points, 1) if canary else points)

    def _named(self, backends: Sequence[Backend], name: str) -> Backend | None:
        return next((one for one in backends if self._is(one, name)), None)

    def _weighed(self, backends: Sequence[Backend], weights: tuple[int, int], wanted: bool) -> list[Backend]:
        """The same with these weights.

        Args:
            wanted: a canary that is not there is added, like stable but for its name
        """
        stable, canary = self._named(backends, self.stable), self._named(backends, self.canary)
        mine = {**(stable or canary or {}), "name": self.stable, "weight": weights[0]}
        theirs = {**(canary or stable or {}), "name": self.canary, "weight": weights[1]}
        kept = [mine if one is stable else theirs if one is canary else one for one in backends]
        return [*([] if stable else [mine]), *kept, *([theirs] if wanted and not canary else [])]

    def _restored(self, backends: Sequence[Backend], before: Sequence[Backend]) -> list[Backend]:
        """Ours as they were, in what others have made of the rest since; a canary that was there gets nothing."""
        stable, canary = self._named(before, self.stable), self._named(before, self.canary)
        there = self._weighed(backends, (PERCENT, 0), wanted=canary is not None)
        kept = [one for one in there if canary or not self._is(one, self.canary)]
        if stable is None and len(kept) > 1:
            return kept
        silent = canary is not None and canary.get("weight", self.form.weight) == 0
        return [
            _like(one, stable or {})
            if self._is(one, self.stable)
            else _like(one, canary)
            if canary and silent and self._is(one, self.canary)
            else one
            for one in kept
        ]

    def _tests(self, seen: Object, *, fresh: bool) -> list[Operation]:
        """What must still stand there.

        Args:
            fresh: the mark or its label comes or goes: nothing of ours can be tested, so nothing at all may have been written
        """
        text = self._text(seen)
        path = pointer("metadata", "annotations", mark_annotation(self.service))
        return [
            *([at_version(seen)] if fresh or text is None else []),
            *([test(path, text)] if text is not None else []),
            *(test(self._path(index), there) for index, (_, there) in self._rules(seen).items()),
        ]

    def _unlabelled(self, seen: Object) -> list[Operation]:
        """The label names another release that has its mark here too, where there is one."""
        notes = seen["metadata"].get("annotations") or {}
        marks = (annotation.from_text(text) for key, text in sorted(notes.items()) if self._foreign(key))
        left = next((one.mark.release for one in marks if one), None)
        if left is not None:
            return [entry(seen, "labels", RELEASE, shortened(left))]
        labelled = RELEASE in (seen["metadata"].get("labels") or {})
        return [drop(pointer("metadata", "labels", RELEASE))] if labelled else []

    def _foreign(self, key: str) -> bool:
        return key.startswith(f"{PREFIX}/") and key != mark_annotation(self.service)

    def _text(self, seen: Object) -> str | None:
        text = (seen["metadata"].get("annotations") or {}).get(mark_annotation(self.service))
        return None if text is None else str(text)

    def _put(self, index: int, backends: list[Backend]) -> Operation:
        return put(self._path(index), backends)

    def _path(self, index: int) -> str:
        return pointer("spec", self.form.rules, index, self.form.backends)


def shares(weight: Weight) -> tuple[int, int]:
    """Stable's and the canary's number: percent where it is a whole one, else hundredths of a percent; never both 0."""
    if weight.points % PERCENT == 0:
        return weight.stable_points // PERCENT, weight.points // PERCENT
    return weight.stable_points, weight.points


def _like(backend: Backend, before: Backend) -> Backend:
    """With the weight that it had before, or none."""
    rest = {key: value for key, value in backend.items() if key != "weight"}
    return rest | {"weight": before["weight"]} if "weight" in before else rest


def _known(before: Sequence[Mapping[str, Any]], rule: str, place: int, count: int) -> Sequence[Backend]:
    """What a rule had, known again by what it matches, else by its place; empty where it is new."""
    same = [one for one in before if one.get("rule") == rule]
    if not same and len(before) == count:
        same = [before[place]]
    return list(same[0].get("backends") or ()) if same else []


def _read(found: str) -> list[Mapping[str, Any]]:
    """Whatever it is, the traffic goes back to stable."""
    try:
        before = json.loads(found)
    except ValueError:
        return []
    return [one for one in before if isinstance(one, Mapping)] if isinstance(before, list) else []


def _compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _shown(seen: Object) -> str:
    return f"{seen.get('kind', 'object')} {seen['metadata'].get('namespace', '')}/{seen['metadata']['name']}"
