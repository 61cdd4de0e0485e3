"""What evidence lies in a cluster's namespace, as `logs.Source`: every release's, and the records that hold their ends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from serinus.cli.logs import Log, Records
from serinus.errors import Refused
from serinus.kube.client import CONFIG_MAP
from serinus.kube.names import EVIDENCE, MANAGED_BY, SERINUS, SERVICE, STATE
from serinus.ledgers.kubernetes import KubernetesLedger
from serinus.release.record import Record

if TYPE_CHECKING:
    from serinus.kube.client import Kube


@dataclass(frozen=True, slots=True)
class InNamespace:
    """`logs.Source`.

    Args:
        kube: closed by whoever opened it
    """

    kube: Kube

    async def logs(self) -> tuple[Log, ...]:
        """A release's objects are called `serinus-<release>-<k>`; one whose lines only its record holds is there as well."""
        parts = await self.kube.select(CONFIG_MAP, f"{MANAGED_BY}={SERINUS},{EVIDENCE}")
        ages: dict[str, str] = {}
        for metadata in (part["metadata"] for part in parts):
            release = metadata["name"].removeprefix(f"{SERINUS}-").rpartition("-")[0]
            ages[release] = min(metadata["creationTimestamp"], ages.get(release, metadata["creationTimestamp"]))
        uncopied = [name for name in (await self.records()).by_release if name not in ages]
        names = (*sorted(ages, key=lambda name: (ages[name], name)), *uncopied)
        return tuple(Log(name, f"{self}, release {name}", partial(self._read, name)) for name in names)

    async def records(self) -> Records:
        found, unread = dict[str, Record](), dict[str, str]()
        listed = await self.kube.select(CONFIG_MAP, f"{MANAGED_BY}={SERINUS},{SERVICE},{STATE}")
        for service in (one["metadata"]["labels"][SERVICE] for one in listed):
            try:
                kept = await KubernetesLedger(self.kube, service).read()
            except Refused as cause:
                unread[service] = str(cause)
                continue
            if kept and isinstance(kept.record, Record):
                found[kept.record.release] = kept.record
        return Records(found, unread)

    def __str__(self) -> str:
        return f"namespace {self.kube.namespace}"

    async def _read(self, release: str) -> str:
        lines = await KubernetesLedger(self.kube, "").lines(release)
        return "".join(f"{line}\n" for line in lines)
