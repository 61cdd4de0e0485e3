"""How one service's traffic is split in an object with rules, each with weighted backends; and the patch that splits it anew. Pure.

A rule is the service's where it names its stable Service or its canary's. Only backends of such rules, the mark and its label are ever
written; what becomes of the backends is `backends`' part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serinus.errors import Refused
from serinus.kube import behind, writer
from serinus.kube import mark as annotation
from serinus.kube.backends import Backend, Pair
from serinus.kube.names import PREFIX, RELEASE, mark_annotation, shortened
from serinus.kube.patch import Object, Operation, at_version, drop, entry, pointer, put, test
from serinus.ports import Route
from serinus.release.mark import Mark, Mode
from serinus.release.weight import NOTHING, Weight


@dataclass(frozen=True, slots=True)
class Form:
    """Where a kind of object keeps its backends: `spec.<rules>[].<backends>[]`.

    Args:
        matches: the field of a rule by which it is known again after others moved it
        weight: of a backend that names none
        expected: fields that a backend of ours has with these values, or not at all
        key: of a policy, that names the object
    """

    rules: str
    backends: str
    matches: str
    weight: int
    expected: Mapping[str, Any]
    key: str


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

    @property
    def pair(self) -> Pair:
        """Both, as backends of this form."""
        return Pair(self.stable, self.canary, self.form.weight, self.form.expected)

    def route(self, seen: Object) -> Route:
        """What the object says; marked, and with no rule of this service any longer, it gives the canary nothing.

        Raises:
            Refused: unmarked, and no rule of it sends anything to this service
        """
        rules, text = self._rules(seen), self._text(seen)
        marked = annotation.from_text(text) if text is not None else None
        if not rules and marked is None:
            raise self._elsewhere(seen)
        found = (
            marked.found if marked else _compact([{"rule": rule, "backends": there} for rule, there in rules.values()])
        )
        weight = self._weight(list(rules.values()), marked)
        # An unmarked object has nothing of ours that changes with every write, so its generation tells two of its lives apart.
        about = [seen["metadata"]["uid"], text, None if marked else seen["metadata"]["generation"], list(rules.items())]
        version = hashlib.sha256(_compact(about).encode()).hexdigest()[:16]
        return Route(weight, marked.mark if marked else None, version, found, writer=writer.last(seen))

    def _weight(self, rules: list[tuple[str, list[Backend]]], marked: annotation.Marked | None) -> Weight:
        """The most that a rule gives the canary; where that is as marked and others give less, the mean.

        So whatever somebody has lowered is not as it was left, and none is 0 while one rule serves: a close is done at 0.
        """
        most = max((self.pair.weight(there) for _, there in rules), default=NOTHING)
        if marked is None or most != marked.mark.weight or most == NOTHING:
            return most
        # One that came meanwhile for stable alone is no edit of the weight: it has not been in any write yet.
        known = [one.get("rule") for one in _read(marked.found)]
        points = [
            self.pair.weight(there).points
            for rule, there in rules
            if rule in known or self.pair.named(there, self.canary)
        ]
        return Weight(max(sum(points) // len(points), 1))

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
                self._put(index, self.pair.weighed(there, mark.weight, wanted))
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
                self._put(index, self.pair.restored(there, _known(before, rule, place, len(rules))))
                for place, (index, (rule, there)) in enumerate(rules.items())
            ),
        ]

    def wrote(self, seen: Object, write: str) -> bool:
        """Whether this very write is the last one of the mark that stands there."""
        return annotation.write_of(self._text(seen) or "") == write

    def others(self, seen: Object) -> tuple[str, ...]:
        """Backends besides these two among which a rule of ours splits."""
        found = (name for _, there in self._rules(seen).values() for name in self.pair.others(there))
        return tuple(dict.fromkeys(found))

    def names_canary(self, seen: Object) -> bool:
        """Whether every rule of ours has the canary among its backends."""
        return all(self.pair.named(there, self.canary) for _, there in self._rules(seen).values())

    def _rules(self, seen: Object) -> dict[int, tuple[str, list[Backend]]]:
        """Ours: by place, what they match and their backends."""
        pair, rules = self.pair, (seen.get("spec") or {}).get(self.form.rules) or []
        backends = {index: rule.get(self.form.backends) or [] for index, rule in enumerate(rules)}
        ours = (index for index, there in backends.items() if any(pair.owns(backend) for backend in there))
        return {index: (_compact(rules[index].get(self.form.matches)), backends[index]) for index in ours}

    def _elsewhere(self, seen: Object) -> Refused:
        """None of its rules is ours: where they lead, and which keys of the policy may mean that."""
        form, kind = self.form, seen.get("kind", "object")
        rules = (seen.get("spec") or {}).get(form.rules) or []
        names = dict.fromkeys(str(one.get("name")) for rule in rules for one in rule.get(form.backends) or [])
        lead = f"lead to {', '.join(names)}" if names else "lead to no Service"
        what = f"{_shown(seen)} sends nothing to Service {self.stable}: its {form.rules} {lead}"
        mend = f"another {kind} in {form.key}, or Service {self.stable} in one of its {form.rules}"
        return Refused(what, f"name the right Service in {behind.KEY}, {mend}" if names else f"name {mend}")

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
