"""A PodDisruptionBudget of the canary's own, where stable has one that does not mean the canary's pods too.

A canary that carries traffic is drained no faster than stable: of its pods as many may be away at once as of stable's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from serinus.errors import Conflict, PlatformError
from serinus.kube import names, selector
from serinus.kube.canary import labels, own_labels, release_of
from serinus.kube.client import Kube
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


async def ensure(kube: Kube, stable: Object, deployment: str, pods: Mapping[str, str], release: str) -> None:
    """The canary's is there, where it lacks one. Without the right to it a release goes on: preflight has said so.

    Args:
        stable: its Deployment
        deployment: name of the canary's
        pods: labels of the canary's pods
    """
    beside = (stable["spec"]["template"].get("metadata") or {}).get("labels") or {}
    try:
        found = await kube.select(BUDGET, "")
        there = next((one for one in found if one["metadata"]["name"] == deployment), None)
        lacks = wanted(found, beside, pods)
        if lacks is None or (there and release_of(there) in ("", release)):
            return
        if there:  # of a release that is over: only one of a service is live
            await kube.delete(BUDGET, deployment, there["metadata"]["uid"])
        await kube.create(BUDGET, made(lacks, deployment, release, stable["spec"]["replicas"]))
    except Conflict:
        return  # somebody else made it, or the one before is still going: asked again with the next weight
    except PlatformError as cause:
        log.warning("%s has no PodDisruptionBudget: %s", deployment, cause)


async def discard(kube: Kube, deployment: str, release: str) -> None:
    """Take this release's away, if it is there."""
    try:
        for one in await kube.select(BUDGET, f"{names.RELEASE}={names.shortened(release)}"):
            if one["metadata"]["name"] == deployment and release_of(one) == release:
                await kube.delete(BUDGET, deployment, one["metadata"]["uid"])
    except PlatformError as cause:
        log.warning("the PodDisruptionBudget %s stays: %s", deployment, cause)
