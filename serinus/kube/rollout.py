"""Does a Deployment's status say that every wanted pod runs its template, and none of another; and if not, what keeps it? Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serinus.errors import Finding


def settled(deployment: Mapping[str, Any]) -> bool:
    """Its controller has seen this very spec, and counts as many updated, ready and available pods as are wanted, and no other.

    Pods that are being deleted are no longer counted: they get no new requests. One that is paused is settled where no rollout is due.
    Source: Kubernetes, Deployments, "Complete Deployment".
    """
    spec, status = deployment["spec"], deployment.get("status") or {}
    counts = {status.get(name) or 0 for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")}
    seen = (status.get("observedGeneration") or 0) >= deployment["metadata"]["generation"]
    return seen and counts == {spec["replicas"]}


def findings(deployment: Mapping[str, Any]) -> list[Finding]:
    """Of stable, which a promotion rolls out."""
    if not deployment["spec"].get("paused"):
        return []
    name = deployment["metadata"]["name"]
    mend = f"kubectl rollout resume deployment/{name}"
    return [Finding("is paused, so no promotion could be rolled out", f"Deployment {name}", mend)]


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
    """Why no more pods get ready: it is paused, or did not get on within its `progressDeadlineSeconds`; empty where they do."""
    if deployment["spec"].get("paused") and not settled(deployment):
        return "Paused: somebody has paused its rollout (kubectl rollout resume ends that)"
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
