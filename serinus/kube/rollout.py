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


def stalled(deployment: Mapping[str, Any]) -> str:
    """Why its controller says that it does not get on; empty where it does."""
    conditions = (deployment.get("status") or {}).get("conditions") or ()
    for condition in conditions:
        late = condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded"
        refused = condition["type"] == "ReplicaFailure"
        if (late and condition["status"] == "False") or (refused and condition["status"] == "True"):
            return f"{condition.get('reason')}: {condition.get('message', '')}".strip(": ")
    return ""
