"""The canary's Service: made with its Deployment, kept as long as a route names it.

Some routers report or serve nothing on a route that names a missing Service, at weight 0 too, and a canary goes before its route is
restored. So who writes the route says when it is needed (`routed`) and when no longer (`remove`).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from serinus.errors import Conflict, Refused
from serinus.kube import names
from serinus.kube.canary import labels, own_labels, release_of
from serinus.kube.client import DEPLOYMENT, SERVICE, Kube
from serinus.kube.patch import Object, at_version, drop, entry, pointer, put

OF_ONE_ADDRESS = (
    "clusterIP",
    "clusterIPs",
    "externalIPs",
    "externalName",
    "healthCheckNodePort",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
    "allocateLoadBalancerNodePorts",
    "externalTrafficPolicy",
    "selector",
    "type",
)
"""What two Services cannot share, or a route does not need."""
OWNERS = (
    "argocd.argoproj.io/",
    "meta.helm.sh/",
    "kubectl.kubernetes.io/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
)
"""Labels and annotations by which others hold stable's Service for theirs: they would take this one away."""
_WRITES = 5


def made(stable: Object, name: str, release: str, deployment: str) -> dict[str, Any]:
    """A canary Service that is not there yet: stable's ports and settings, the canary's pods.

    Args:
        deployment: name of the canary's

    Raises:
        Refused: stable's has no pods of its own
    """
    spec = stable["spec"]
    if not spec.get("selector"):
        raise Refused(f"the Service {stable['metadata']['name']} selects no pods, so none could be made for a canary")
    ports = [{key: value for key, value in port.items() if key != "nodePort"} for port in spec.get("ports") or ()]
    headless = {"clusterIP": "None"} if spec.get("clusterIP") == "None" else {}
    kept = {key: value for key, value in spec.items() if key not in OF_ONE_ADDRESS}
    metadata = stable["metadata"]
    return {
        "metadata": {
            "name": name,
            "labels": _shared(metadata.get("labels")) | labels(release),
            "annotations": _shared(metadata.get("annotations")) | {names.RELEASE: release},
        },
        "spec": {**kept, **headless, "type": "ClusterIP", "ports": ports, "selector": own_labels(deployment, release)},
    }


def _shared(said: dict[str, str] | None) -> dict[str, str]:
    return {key: value for key, value in (said or {}).items() if not key.startswith(OWNERS)}


async def ensure(kube: Kube, stable: str, name: str, release: str, deployment: str) -> None:
    """The Service is there and selects this canary's pods; one of the user's own is adopted.

    Args:
        stable: name of stable's Service
        name: of the canary's
        deployment: name of the canary's
    """
    for _ in range(_WRITES):
        found = await kube.find(SERVICE, name)
        try:
            if found is None:
                await kube.create(SERVICE, made(await kube.get(SERVICE, stable), name, release, deployment))
            elif release_of(found) != release:
                await kube.patch(SERVICE, name, _adopting(found, release, deployment))
        except Conflict:
            continue
        return
    raise Conflict(f"the Service {name} is written by others faster than it can be read")


def _adopting(found: Object, release: str, deployment: str) -> list[dict[str, Any]]:
    """One left by an earlier release is taken over, as only one of a service is live; one of the user's own keeps what it was."""
    operations, before = [at_version(found)], release_of(found)
    if not before:
        was = json.dumps({"selector": found["spec"].get("selector")})
        operations.append(entry(found, "annotations", names.FOUND, was))
        found = {**found, "metadata": {**found["metadata"], "annotations": {**_said(found), names.FOUND: was}}}
    selecting = put(pointer("spec", "selector"), own_labels(deployment, release))
    return [*operations, entry(found, "annotations", names.RELEASE, release), selecting]


async def routed(kube: Kube, name: str) -> None:
    """Say that a route is going to name it.

    Raises:
        Refused: it is not there, or is nobody's canary
    """
    for _ in range(_WRITES):
        found = await kube.get(SERVICE, name)
        if not release_of(found):
            raise Refused(f"the Service {name} is no canary's")
        if names.ROUTED in _said(found):
            return
        try:
            await kube.patch(SERVICE, name, [at_version(found), entry(found, "annotations", names.ROUTED, "true")])
        except Conflict:
            continue
        return
    raise Conflict(f"the Service {name} is written by others faster than it can be read")


async def remove(kube: Kube, name: str, release: str) -> None:
    """Take this release's away, or one whose canary is gone; give an adopted one back; nothing to do where there is none.

    Args:
        release: whose route it was; empty where nobody knows
    """

    async def meant(found: Object) -> bool:
        whose = release_of(found)
        return bool(whose) and (whose == release or not await _has_canary(kube, found))

    await _remove(kube, name, meant)


async def _has_canary(kube: Kube, found: Object) -> bool:
    deployment = (found["spec"].get("selector") or {}).get(names.CANARY)
    canary = await kube.find(DEPLOYMENT, deployment) if deployment else None
    if canary is None or canary["metadata"].get("deletionTimestamp"):
        return False
    return release_of(canary) == release_of(found)


async def discard(kube: Kube, name: str, release: str) -> None:
    """As `remove`, but only this release's, and only where no route ever named it."""

    async def meant(found: Object) -> bool:
        return release_of(found) == release and names.ROUTED not in _said(found)

    await _remove(kube, name, meant)


async def _remove(kube: Kube, name: str, meant: Callable[[Object], Awaitable[bool]]) -> None:
    for _ in range(_WRITES):
        found = await kube.find(SERVICE, name)
        if found is None or not await meant(found):
            return
        try:
            if names.FOUND in _said(found):
                await kube.patch(SERVICE, name, _given_back(found))
            else:
                await kube.delete(SERVICE, name, found["metadata"]["uid"])
        except Conflict:
            continue
        return
    raise Conflict(f"the Service {name} is written by others faster than it can be read")


def _said(found: Object) -> dict[str, str]:
    return found["metadata"].get("annotations") or {}


def _given_back(found: Object) -> list[dict[str, Any]]:
    said = _said(found)
    was = json.loads(said[names.FOUND])["selector"]
    place = pointer("spec", "selector")
    taken_off = [
        drop(pointer("metadata", "annotations", key))
        for key in (names.FOUND, names.RELEASE, names.ROUTED)
        if key in said
    ]
    restored = [put(place, was)] if was else ([drop(place)] if found["spec"].get("selector") else [])
    return [at_version(found), *restored, *taken_off]
