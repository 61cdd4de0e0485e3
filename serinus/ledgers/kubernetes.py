"""The record of one service as a ConfigMap, `serinus-<service>`, kept after a release; its evidence is `kube.evidence`'s.

What is in either is not decided here.
"""

from __future__ import annotations

import re
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from serinus.errors import Conflict, Missing, Refused, Unavailable
from serinus.kube import news
from serinus.kube.client import CONFIG_MAP, Kube
from serinus.kube.evidence import Evidence
from serinus.kube.names import WRITE, labels, record_name
from serinus.kube.patch import Object, at_version, pointer, put
from serinus.ports import Kept
from serinus.release.evidence import Line
from serinus.release.record import Ask, Foreign, Record, from_json, to_json

_RECORD = "record"
_RELEASE = re.compile(r"[a-z0-9]([a-z0-9.-]{0,198}[a-z0-9])?")
_TRIES = 50


class KubernetesLedger:
    """`ports.Ledger`.

    Args:
        kube: where the ConfigMaps are
        service: its name
    """

    def __init__(self, kube: Kube, service: str) -> None:
        self._kube = kube
        self._service = service
        self._name = record_name(service)
        self._evidence = Evidence(kube, service)
        self._sent: deque[str] = deque(maxlen=4)

    def wrote(self, found: Object) -> bool:
        """Whether a record's ConfigMap is as this ledger left it."""
        return (found["metadata"].get("annotations") or {}).get(WRITE) in self._sent

    async def read(self) -> Kept | None:
        found = await self._kube.find(CONFIG_MAP, self._name)
        return None if found is None else self._kept(found)

    async def write(self, record: Record, seen: str | None) -> Kept:
        stored = to_json(record).decode()
        # A write that changes nothing would keep its version, and stop nobody who wrote on it.
        notes = {WRITE: secrets.token_hex(4)}
        self._sent.append(notes[WRITE])
        said = {**labels(self._service, record.release), **news.labels(record)}
        if seen is None:
            metadata = {"name": self._name, "labels": said, "annotations": notes}
            return self._written(
                record, await self._kube.create(CONFIG_MAP, {"metadata": metadata, "data": {_RECORD: stored}})
            )
        operations = [
            at_version({"metadata": {"resourceVersion": seen}}),
            put(pointer("data"), {_RECORD: stored}),
            put(pointer("metadata", "labels"), said),
            put(pointer("metadata", "annotations"), notes),
        ]
        try:
            return self._written(record, await self._kube.patch(CONFIG_MAP, self._name, operations))
        except Missing as cause:
            raise Conflict(f"the record of {self._service} is gone: {cause}") from cause

    async def ask(self, ask: Ask, release: str = "") -> Kept:
        asked = release
        for _ in range(_TRIES):
            kept = await self.read()
            if kept is not None and asked and kept.record.release != asked:
                raise Refused(f"{asked} ended before it was reached: nothing was asked of {kept.record.release}")
            if kept is None or kept.record.ended:
                raise Refused(f"no release of {self._service} is live: there is nothing to {ask.verb}")
            if isinstance(kept.record, Foreign):
                what = f"the record of {self._service} has schema {kept.record.schema}"
                raise Refused(f"{what}: use the version of serinus that wrote it")
            if any(known.id == ask.id for known in kept.record.inbox):
                return kept
            asked = kept.record.release
            try:
                return await self.write(replace(kept.record, inbox=(*kept.record.inbox, ask)), kept.version)
            except Conflict:
                continue
        raise Unavailable(f"the record of {self._service} was written {_TRIES} times while {ask.verb} was being asked")

    async def append(self, release: str, lines: Sequence[Line]) -> None:
        await self._evidence.append(_checked(release), lines)

    async def lines(self, release: str) -> tuple[str, ...]:
        return await self._evidence.lines(_checked(release))

    def _written(self, record: Record, found: Object) -> Kept:
        return Kept(record, str(found["metadata"]["resourceVersion"]))

    def _kept(self, found: Object) -> Kept:
        return Kept(record_in(found), str(found["metadata"]["resourceVersion"]))


def record_in(found: Object) -> Record | Foreign:
    """What the ConfigMap of a record holds.

    Raises:
        Refused: no record
    """
    name = f"{found['metadata'].get('namespace')}/{found['metadata']['name']}"
    try:
        return from_json(text_in(found))
    except KeyError as cause:
        raise Refused(f"ConfigMap {name} is no record: it has no key {cause}") from cause
    except ValueError as cause:
        raise Refused(f"ConfigMap {name} is no record: {str(cause).partition(chr(10))[0]}") from cause


def text_in(found: Object) -> bytes:
    """A record as it is stored. Raises KeyError: there is none."""
    return str((found.get("data") or {})[_RECORD]).encode()


def _checked(release: str) -> str:
    if not _RELEASE.fullmatch(release):
        raise Refused(f"{release!r} is no release's id: small letters, digits, dots and dashes, at most 200")
    return release
