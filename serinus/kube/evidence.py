"""A release's evidence as ConfigMaps: `serinus-<release>-<k>`, a key for each span of lines that was copied, the next k in good time.

Nothing that was written is ever written anew. What the lines say is not decided here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serinus.errors import Conflict, Missing, Refused, Unavailable
from serinus.kube.client import CONFIG_MAP, Kube
from serinus.kube.names import EVIDENCE, evidence_name, labels, shortened
from serinus.kube.patch import Object, at_version, pointer, put
from serinus.release.evidence import FIRST, Line

PART_BYTES = 64 * 1024
"""Of one ConfigMap. Each copy makes etcd write all of it: at a check a second 3 MiB an hour, and with 512 KiB 23."""
_TRIES = 50


@dataclass(frozen=True, slots=True)
class _End:
    """Where a release's evidence ends.

    Args:
        n, hash: of its last line
        part: number of its last ConfigMap; -1 where there is none
        size: bytes in that
        version: of that
    """

    n: int = 0
    hash: str = FIRST
    part: int = -1
    size: int = 0
    version: str = ""


class Evidence:
    """The ConfigMaps of a service's evidence.

    Args:
        service: its name
    """

    def __init__(self, kube: Kube, service: str) -> None:
        self._kube = kube
        self._service = service
        self._ends: dict[str, _End] = {}
        """As they were last written by us: what follows needs no read, and is refused by the server where others wrote too."""

    async def lines(self, release: str) -> tuple[str, ...]:
        """All that was copied, as raw lines."""
        return _texts(await self._parts(release))

    async def _parts(self, release: str) -> list[Object]:
        """In their order."""
        selected = await self._kube.select(CONFIG_MAP, f"{EVIDENCE}={shortened(release)}")
        return sorted(selected, key=_number)

    async def append(self, release: str, lines: Sequence[Line]) -> None:
        """See `ports.Ledger`."""
        ordered = sorted(lines, key=lambda line: line.n)
        if not ordered:
            return
        for _ in range(_TRIES):
            end, due = self._ends.get(release, _End()), ordered
            if (end.n + 1, end.hash) != (due[0].n, due[0].before) or end.part < 0:
                parts = await self._parts(release)
                end, due = _end(parts), _missing(release, _texts(parts), ordered)
            _demand_follows(release, end, due)
            try:
                while due:
                    end = self._ends[release] = await self._add(release, end, due)
                    due = [line for line in due if line.n > end.n]
                return
            except Conflict:
                self._ends.pop(release, None)
        raise Unavailable(f"the evidence of {release} was written {_TRIES} times while {len(lines)} lines were added")

    async def _add(self, release: str, end: _End, due: Sequence[Line]) -> _End:
        """As many lines as fit into one ConfigMap, as one key; read back by the answer."""
        size = sum(_bytes(line) for line in due)
        fresh = end.part < 0 or end.size + size > PART_BYTES
        while len(due) > 1 and size > PART_BYTES:
            size -= _bytes(due[-1])
            due = due[:-1]
        text = "".join(f"{line.text}\n" for line in due)
        key = f"{due[0].n:06d}-{due[-1].n:06d}"
        part = end.part + 1 if fresh else end.part
        name = evidence_name(release, part)
        if fresh:
            said = {**labels(self._service, release), EVIDENCE: shortened(release)}
            body = {"metadata": {"name": name, "labels": said}, "data": {key: text}}
            written = await self._kube.create(CONFIG_MAP, body)
        else:
            seen = {"metadata": {"resourceVersion": end.version}}
            try:
                written = await self._kube.patch(CONFIG_MAP, name, [at_version(seen), put(pointer("data", key), text)])
            except Missing as cause:
                raise Conflict(f"ConfigMap {name} is gone") from cause
        if (written.get("data") or {}).get(key) != text:
            raise Unavailable(f"ConfigMap {name} was written and reads otherwise at {key}")
        version = str(written["metadata"]["resourceVersion"])
        return _End(due[-1].n, due[-1].hash, part, size + (0 if fresh else end.size), version)


def _number(part: Object) -> int:
    number = str(part["metadata"]["name"]).rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def _spans(part: Object) -> Mapping[str, str]:
    """By key, in the order of their first line."""
    return dict(sorted((part.get("data") or {}).items()))


def _texts(parts: Sequence[Object]) -> tuple[str, ...]:
    """Whatever stands there, a torn or foreign line too: who verifies must see it."""
    spans = (span for part in parts for span in _spans(part).values())
    return tuple(text for span in spans for text in span.removesuffix("\n").split("\n"))


def _end(parts: Sequence[Object]) -> _End:
    texts = _texts(parts)
    if not parts:
        return _End()
    size = sum(len(span.encode()) for span in _spans(parts[-1]).values())
    digest = hashlib.sha256(texts[-1].encode()).hexdigest() if texts else FIRST
    return _End(len(texts), digest, _number(parts[-1]), size, str(parts[-1]["metadata"]["resourceVersion"]))


def _missing(release: str, held: tuple[str, ...], ordered: Sequence[Line]) -> list[Line]:
    """The lines that are not held yet.

    Raises:
        Refused: what is held is not what they say
    """
    for line in ordered:
        if line.n <= len(held) and held[line.n - 1] != line.text:
            raise Refused(f"{release}: line {line.n} is not the one that was recorded; nothing was written")
    return [line for line in ordered if line.n > len(held)]


def _demand_follows(release: str, end: _End, due: Sequence[Line]) -> None:
    n, before = end.n, end.hash
    for line in due:
        if line.n != n + 1 or line.before != before:
            raise Refused(f"{release}: line {line.n} does not follow its line {n}; nothing was written")
        n, before = line.n, line.hash


def _bytes(line: Line) -> int:
    return len(line.text.encode()) + 1
