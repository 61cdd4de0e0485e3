"""A PodDisruptionBudget of the canary's own, where stable has one that does not mean the canary's pods too.

A canary that carries traffic is drained no faster than stable: of its pods as many may be away at once as of stable's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from serinus.errors import Conflict, PlatformError, Refused
from serinus.kube import names, selector
from serinus.kube.again import again
from serinus.kube.canary import labels, own_labels, release_of
from serinus.kube.client import Kube, Selection
from serinus.kube.missed import BUDGET
from serinus.kube.patch import Object

log = logging.getLogger("serinus.budget")


def wanted(found: Sequence[Object], stable: Mapping[str, str], canary: Mapping[str, str]) -> Object | None:
    """The one of stable's that the canary lacks; None where the canary has one, or stable has none.

    Args:
        found: all of the namespace
        stable, canary: labels of their pods
    """
    others = [one for one in found if not release_of(one)]
    if any(_selects(one, canary) for one in others):
        return None
    return next((one for one in others if _selects(one, stable)), None)


def _selects(budget: Object, pods: Mapping[str, str]) -> bool:
    """Source: kubernetes.io, Specifying a Disruption Budget: an empty selector selects all, none selects nothing."""
    meant = (budget.get("spec") or {}).get("selector")
    return meant is not None and selector.matches(meant, pods)


def made(of: Object, deployment: str, release: str, replicas: int) -> dict[str, Any]:
    """The canary's.

    Args:
        of: stable's
        deployment: name of the canary's
        replicas: of stable
    """
    spec = of["spec"]
    allowed = {"maxUnavailable": spec["maxUnavailable"]} if "maxUnavailable" in spec else _least(spec, replicas)
    policy = {key: spec[key] for key in ("unhealthyPodEvictionPolicy",) if key in spec}
    metadata = {"name": deployment, "labels": labels(release), "annotations": {names.RELEASE: release}}
    return {
        "metadata": metadata,
        "spec": {**allowed, **policy, "selector": {"matchLabels": own_labels(deployment, release)}},
    }


def _least(spec: Mapping[str, Any], replicas: int) -> dict[str, Any]:
    """A number of stable's pods that must stay is, of fewer pods, the number that may go."""
    least = spec.get("minAvailable", 1)
    return {"minAvailable": least} if isinstance(least, str) else {"maxUnavailable": max(replicas - least, 0)}


class Budgets:
    """Sees to the canary's budget, once a release.

    Args:
        kube: closed by whoever opened it
        deployment: name of the canary's
    """

    def __init__(self, kube: Kube, deployment: str) -> None:
        self._kube = kube
        self._deployment = deployment
        self._known: Sequence[Object] | None = None
        self._settled = ""

    def found(self, every: Sequence[Object]) -> None:
        """What preflight has listed, of the whole namespace: the release that follows lists none of it again."""
        self._known = every

    async def ensure(self, stable: Object, pods: Mapping[str, str], release: str) -> None:
        """The canary's is there, where it lacks one. Without the right to it a release goes on: preflight has said so.

        Nothing is asked any more of a release for which that is settled; what did not succeed is tried with its next weight.

        Args:
            stable: its Deployment
            pods: labels of the canary's pods
        """
        if self._settled == release:
            return
        beside = (stable["spec"]["template"].get("metadata") or {}).get("labels") or {}
        try:
            if self._known is None:  # a process that has not looked before
                self._known = await self._kube.select(BUDGET, "")
            lacks = wanted(self._known, beside, pods)
            if lacks is not None:
                await self._make(made(lacks, self._deployment, release, stable["spec"]["replicas"]), release)
        except Conflict:
            return  # somebody else made it, or the one before is still going
        except PlatformError as cause:
            log.warning("%s has no PodDisruptionBudget: %s", self._deployment, cause)
            if not isinstance(cause, Refused):
                return
        self._settled, self._known = release, None

    async def _make(self, budget: Object, release: str) -> None:
        """Looked for by its name in a list: to get one is a right of its own, which nothing else needs."""
        _, found = await self._kube.listed(Selection(BUDGET, self._deployment))
        for there in found:
            if release_of(there) in ("", release):
                return
            await self._kube.delete(BUDGET, self._deployment, there["metadata"]["uid"])  # only one release is live
        await self._kube.create(BUDGET, budget)

    async def discard(self, release: str) -> None:
        """Take this release's away, if it is there; one that cannot be taken away keeps no canary from going."""
        self._settled = ""
        try:
            await again(partial(self._discard, release))
        except PlatformError as cause:
            log.warning("the PodDisruptionBudget %s stays: %s", self._deployment, cause)

    async def _discard(self, release: str) -> None:
        for one in await self._kube.select(BUDGET, f"{names.RELEASE}={names.shortened(release)}"):
            if one["metadata"]["name"] == self._deployment and release_of(one) == release:
                await self._kube.delete(BUDGET, self._deployment, one["metadata"]["uid"])
