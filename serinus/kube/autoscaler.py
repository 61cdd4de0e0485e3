"""Stable's HorizontalPodAutoscaler while a canary takes its traffic: it may add pods, but takes none away.

With less traffic it would, and stable could not carry everything again at once.
"""

from __future__ import annotations

import json
from typing import Any

from serinus.errors import Conflict, Finding
from serinus.kube import names
from serinus.kube.client import Kind, Kube
from serinus.kube.patch import Object, at_version, drop, entry, pointer, put

AUTOSCALER = Kind("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
_MINIMUM = pointer("spec", "minReplicas")
_WRITES = 5


async def raise_minimum(kube: Kube, name: str, deployment: str, release: str, replicas: int) -> None:
    """Keep at least so many pods of that Deployment; nothing to do where nothing scales it by this name, or it keeps as many."""
    for _ in range(_WRITES):
        found = await kube.find(AUTOSCALER, name)
        if found is None or not _scales(found, deployment):
            return
        minimum, before = found["spec"].get("minReplicas", 1), _kept(found)
        if before.get("release") == release:
            return
        # Of a release whose end nobody saw: what it found is what stood there.
        own = before.get("found", minimum) if before.get("set") == minimum else minimum
        wanted = min(max(replicas, minimum), found["spec"]["maxReplicas"])
        if wanted <= own:
            return
        kept = json.dumps({"release": release, "found": own, "set": wanted})
        try:
            await kube.patch(
                AUTOSCALER,
                name,
                [at_version(found), put(_MINIMUM, wanted), entry(found, "annotations", names.FOUND, kept)],
            )
        except Conflict:
            continue
        return
    raise Conflict(f"the HorizontalPodAutoscaler {name} is written by others faster than it can be read")


async def give_back(kube: Kube, name: str, release: str) -> None:
    """The minimum as this release found it; one that somebody has set since stays."""
    for _ in range(_WRITES):
        found = await kube.find(AUTOSCALER, name)
        kept = _kept(found) if found else {}
        if found is None or kept.get("release") != release:
            return
        ours = found["spec"].get("minReplicas", 1) == kept["set"]
        back = [put(_MINIMUM, kept["found"])] if ours else []
        try:
            taken_off = drop(pointer("metadata", "annotations", names.FOUND))
            await kube.patch(AUTOSCALER, name, [at_version(found), *back, taken_off])
        except Conflict:
            continue
        return
    raise Conflict(f"the HorizontalPodAutoscaler {name} is written by others faster than it can be read")


def findings(found: Object | None, deployment: str, replicas: int) -> list[Finding]:
    """What keeps a number of pods beside that Deployment's from being a weight.

    Args:
        replicas: that it has
    """
    most = found["spec"]["maxReplicas"] if found and _scales(found, deployment) else replicas
    if found is None or most <= replicas:
        return []
    what = (
        f"it may scale {deployment} from {replicas} to {most} pods, and the canary's weight is its number beside these"
    )
    mend = f"set maxReplicas to {replicas} for the release, or split by a proxy: router contour or gateway-api"
    return [Finding(what, f"HorizontalPodAutoscaler {found['metadata']['name']}", mend)]


def _scales(found: Object, deployment: str) -> bool:
    target = found["spec"]["scaleTargetRef"]
    return bool(target["kind"] == "Deployment" and target["name"] == deployment)


def _said(found: Object) -> dict[str, str]:
    return found["metadata"].get("annotations") or {}


def _kept(found: Object) -> dict[str, Any]:
    try:
        kept = json.loads(_said(found).get(names.FOUND, "{}"))
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) else {}
