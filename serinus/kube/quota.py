"""Is there room in a namespace's quotas for a canary at its largest weight, with stable's rollout beside it? Pure.

Source: kubernetes.io, Resource Quotas; Init Containers, "Resource sharing within containers".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from math import ceil
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from serinus.errors import Finding
from serinus.kube.client import Kind
from serinus.kube.patch import Object

QUOTA = Kind("", "v1", "resourcequotas", "ResourceQuota")
OBJECTS = (
    "count/deployments.apps",
    "count/replicasets.apps",
    "services",
    "count/services",
    "configmaps",
    "count/configmaps",
)
"""Of each a release makes one at least."""


def needed(stable: Object, replicas: int) -> dict[str, Decimal]:
    """What a release of this Deployment adds to the namespace, by a quota's names.

    Args:
        replicas: of the canary at its largest weight
    """
    pods = Decimal(replicas + _surge(stable))
    spec = stable["spec"]["template"]["spec"]
    wanted = {"pods": pods, "count/pods": pods, **dict.fromkeys(OBJECTS, Decimal(1))}
    for part in ("requests", "limits"):
        for resource, each in _of_pod(spec, part).items():
            wanted[f"{part}.{resource}"] = each * pods
            if part == "requests" and resource in ("cpu", "memory"):
                wanted[resource] = each * pods
    return wanted


def findings(quotas: Sequence[Object], wanted: Mapping[str, Decimal]) -> list[Finding]:
    """A finding for each limit that would be passed. Quotas of some pods alone (scopes) are not judged."""
    return [finding for quota in quotas if not _scoped(quota) for finding in _passed(quota, wanted)]


def _passed(quota: Object, wanted: Mapping[str, Decimal]) -> Iterable[Finding]:
    status = quota.get("status") or {}
    for name, limit in sorted((status.get("hard") or {}).items()):
        left = parse_quantity(limit) - parse_quantity((status.get("used") or {}).get(name, "0"))
        if (need := wanted.get(name, Decimal(0))) > left:
            what = (
                f"{_shown(left)} of {limit} {name} are left; the canary at its largest weight, with stable's rollout"
                f" beside it, needs {_shown(need)}"
            )
            yield Finding(what, f"ResourceQuota {quota['metadata']['name']}", "raise it, or free some")


def _scoped(quota: Object) -> bool:
    spec = quota.get("spec") or {}
    return bool(spec.get("scopes") or spec.get("scopeSelector"))


def _surge(stable: Object) -> int:
    """Pods that its rollout has above its replicas."""
    strategy, replicas = stable["spec"].get("strategy") or {}, stable["spec"]["replicas"]
    if strategy.get("type") == "Recreate":
        return 0
    surge = (strategy.get("rollingUpdate") or {}).get("maxSurge", "25%")
    return ceil(replicas * int(surge.rstrip("%")) / 100) if isinstance(surge, str) else int(surge)


def _of_pod(spec: Mapping[str, Any], part: str) -> dict[str, Decimal]:
    """Containers and sidecars run together, each init container before them beside the sidecars alone."""
    first = spec.get("initContainers") or ()
    beside = [one for one in first if one.get("restartPolicy") == "Always"]
    running = _sum(_of_container(one, part) for one in (*spec["containers"], *beside))
    for one in first:
        if one not in beside:
            for resource, wanted in _of_container(one, part).items():
                running[resource] = max(running.get(resource, Decimal(0)), wanted)
    return running


def _of_container(container: Mapping[str, Any], part: str) -> dict[str, Decimal]:
    """What asks for nothing but has a limit asks for that."""
    resources = container.get("resources") or {}
    limits = resources.get("limits") or {}
    said = {**limits, **(resources.get("requests") or {})} if part == "requests" else limits
    return {resource: parse_quantity(wanted) for resource, wanted in said.items()}


def _sum(several: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    whole: dict[str, Decimal] = {}
    for one in several:
        for resource, wanted in one.items():
            whole[resource] = whole.get(resource, Decimal(0)) + wanted
    return whole


def _shown(number: Decimal) -> str:
    mebibytes = number / 2**20
    return f"{mebibytes:g}Mi" if mebibytes >= 1 else f"{number.normalize():f}"
