"""Is a namespace fit for a canary beside this Deployment? Rights, and what stands around it; lists and asks, writes nothing.

What each kind of object would do to a release is judged by a module of its own; this one only fetches and gathers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from serinus.errors import Finding, Refused
from serinus.kube import (
    autoscaler,
    behind,
    canary,
    canary_service,
    missed,
    names,
    owner,
    quota,
    rights,
    rivals,
    rollout,
    unasked,
    unprobed,
)
from serinus.kube.again import again
from serinus.kube.autoscaler import AUTOSCALER
from serinus.kube.client import CONFIG_MAP, DEPLOYMENT, SERVICE, Kind, Kube
from serinus.kube.named import Named, Routed
from serinus.kube.patch import Object
from serinus.kube.rules import Rules
from serinus.kube.template import Template, containers

Judge = Callable[[Sequence[Object]], list[Finding]]
RECORDS = f"{names.MANAGED_BY}={names.SERINUS},{names.STATE}"


@dataclass(frozen=True, slots=True)
class Found:
    """What is around.

    Args:
        findings: the fatal first
        budgets: every PodDisruptionBudget of the namespace, as far as we may know
    """

    findings: tuple[Finding, ...]
    budgets: tuple[Object, ...] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is around one service's objects.

    Args:
        kube: closed by whoever opened it
        service: its name in its policy; empty where nobody says
        routed: what splits its traffic; None where no object does
    """

    kube: Kube
    named: Named
    service: str = ""
    routed: Routed | None = None

    async def look(self, wanted: Template | None, replicas: int) -> Found:
        """Everything, once.

        Args:
            wanted: the canary's template; None where stable could not be read: then only rights are looked at
            replicas: of the canary at its largest weight

        Raises:
            PlatformError: what must be there is not, or the server does not answer
        """
        rules = await again(partial(Rules.read, self.kube))
        watched = rights.watching(self.routed) if self.routed else ()
        lacking = await rights.missing(rules, (*rights.needed(self.named), *watched))
        if wanted is None or any(right.fatal for right in lacking):
            return Found(tuple(lacking))
        if unled := await again(partial(self._unled, rules, wanted)):
            return Found((*unled, *lacking))
        stable = await again(partial(self.kube.get, DEPLOYMENT, self.named.deployment))
        judges = await again(partial(self._judges, stable, wanted, replicas))
        there, owned = await asyncio.gather(self._listed(rules, judges), again(partial(self._owned, stable)))
        told = [self._judged(kind, judge, there[kind]) for kind, judge in judges.items()]
        lacking += rollout.findings(stable)
        lacking += unprobed.findings(wanted, self.named.container, self.named.deployment)
        every = [*lacking, *(finding for several in (*told, owned) for finding in several)]
        return Found(tuple(sorted(every, key=lambda finding: not finding.fatal)), tuple(there[missed.BUDGET] or ()))

    async def _unled(self, rules: Rules, wanted: Template) -> list[Finding]:
        """What is wrong with stable's Service: without the right one nobody can say more."""
        if not self.named.service:
            return []
        found = await self.kube.find(SERVICE, self.named.service)
        judged = partial(
            behind.findings, self.named.service, found, pods=wanted.labels, deployment=self.named.deployment
        )
        if not judged(services=()):
            return []
        return judged(services=await self.kube.select(SERVICE, "") if await rules.may("list", SERVICE) else ())

    async def _judges(self, stable: Object, wanted: Template, replicas: int) -> Mapping[Kind, Judge]:
        """Who says of each kind what it would do."""
        there, beside = await asyncio.gather(
            self.kube.find(DEPLOYMENT, self.named.canary),
            self.kube.get(SERVICE, self.named.service) if self.named.service else _nothing(),
        )
        labels = wanted.labels
        pods = labels, {**labels, **canary.changed_beside(stable, beside, wanted, there)}
        judges: dict[Kind, Judge] = {
            kind: partial(missed.findings, kind, stable=pods[0], canary=pods[1]) for kind in missed.SELECTING
        }
        judges |= {
            AUTOSCALER: partial(rivals.by_autoscaler, named=self.named),
            rivals.FLAGGER: partial(rivals.by_flagger, named=self.named),
            rivals.ROLLOUT: partial(rivals.by_argo_rollouts, named=self.named),
            quota.QUOTA: partial(quota.findings, wanted=quota.needed(stable, replicas)),
        }
        if beside is not None:
            own = names.canary_name(self.named.service)
            made = await self.kube.find(SERVICE, own) or canary_service.made(beside, own, "", self.named.canary)
            sides = beside["metadata"].get("labels") or {}, made["metadata"].get("labels") or {}
            judges[missed.SERVICE_MONITOR] = partial(missed.monitors, stable=sides[0], canary=sides[1])
            judges[SERVICE] = partial(
                unasked.findings, stable=pods[0], canary=pods[1], own=frozenset((self.named.service, own))
            )
        return judges

    async def _listed(self, rules: Rules, kinds: Iterable[Kind]) -> dict[Kind, Sequence[Object] | None]:
        """All of each, none of one that this cluster does not have; None where we may not know."""

        async def listed(kind: Kind) -> tuple[Kind, Sequence[Object] | None]:
            if not await self.kube.serves(kind):
                return kind, ()
            return kind, await self.kube.select(kind, "") if await rules.may("list", kind) else None

        return dict(await asyncio.gather(*(again(partial(listed, kind)) for kind in kinds)))

    def _judged(self, kind: Kind, judge: Judge, found: Sequence[Object] | None) -> list[Finding]:
        if found is not None:
            return judge(found)
        what = f"whether one would disturb a release is not known: the right to list {kind.resource} is missing"
        return [Finding(what, f"namespace {self.kube.namespace}", "grant it, or look yourself", fatal=False)]

    async def _owned(self, stable: Object) -> list[Finding]:
        """Who puts objects back, and whose release goes on the same ones."""
        told = owner.findings(stable, containers(stable["spec"]["template"]["spec"], self.named.container)["name"])
        if self.routed is not None:
            with suppress(Refused):  # its router has said that already
                told += owner.of_route(await self.kube.get(self.routed.kind, self.routed.name), self.routed)
        if self.named.autoscaler and not self.named.service:
            scaler = await self.kube.find(AUTOSCALER, self.named.autoscaler)
            told += autoscaler.findings(scaler, self.named.deployment, stable["spec"]["replicas"])
        if self.service:
            told += rivals.by_releases(await self.kube.select(CONFIG_MAP, RECORDS), self.named, self.service)
        return told


async def _nothing() -> None:
    return None
