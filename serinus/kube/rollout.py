"""Does a Deployment's status say that every wanted pod runs its template, and none of another? Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def settled(deployment: Mapping[str, Any]) -> bool:
    """Its controller has seen this very spec, and counts as many updated, ready and available pods as are wanted, and no other.

    Pods that are being deleted are no longer counted: they get no new requests.
    Source: Kubernetes, Deployments, "Complete Deployment".
    """
    spec, status = deployment["spec"], deployment.get("status") or {}
    counts = {status.get(name) or 0 for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")}
    seen = (status.get("observedGeneration") or 0) >= deployment["metadata"]["generation"]
    return seen and counts == {spec["replicas"]} and not spec.get("paused")


def spare(deployment: Mapping[str, Any]) -> int:
    """How many of its pods may be missing in a rollout: its own `maxUnavailable`, and never more than a quarter, which is the default.

    Source: Kubernetes, Deployments, "Max Unavailable": of a percentage the part of a pod does not count.
    """
    spec = deployment["spec"]
    replicas = int(spec["replicas"])
    said = ((spec.get("strategy") or {}).get("rollingUpdate") or {}).get("maxUnavailable", "25%")
    if isinstance(said, str) and said.endswith("%"):
        return min(replicas * int(said[:-1]) // 100, replicas // 4)
    return min(int(said), replicas // 4)


def late(deployment: Mapping[str, Any]) -> str:
    """Why its controller says that no more pods got ready within its `progressDeadlineSeconds`; empty where they did."""
    said = _said(deployment, "Progressing", "False")
    if not said.startswith("ProgressDeadlineExceeded"):
        return ""
    return "; ".join(filter(None, (said, refused(deployment))))


def refused(deployment: Mapping[str, Any]) -> str:
    """Why the API server lets its controller make no more pods, such as a quota's words; it tries again by itself."""
    return _said(deployment, "ReplicaFailure", "True")


def _said(deployment: Mapping[str, Any], kind: str, status: str) -> str:
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if (condition["type"], condition["status"]) == (kind, status):
            return f"{condition.get('reason')}: {condition.get('message', '')}".strip(": ")
    return ""
