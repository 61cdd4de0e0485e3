"""Kubernetes objects as an API server has them, small: what the tests of pure functions start from."""

from __future__ import annotations

from typing import Any

from serinus.kube.template import Template

LABELS = {"app": "shop", "tier": "web"}


def a_pod_template(*containers: dict[str, Any], labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    mine = containers or ({"name": "shop", "image": "team/shop:v1"},)
    metadata = {"creationTimestamp": None, "labels": dict(LABELS if labels is None else labels)}
    return {"metadata": metadata, "spec": {"containers": [dict(one) for one in mine], **spec}}


def a_template(*containers: dict[str, Any], labels: dict[str, str] | None = None, **spec: Any) -> Template:
    return Template(a_pod_template(*containers, labels=labels, **spec), {"ConfigMap/shop": "0123456789abcdef"})


def a_deployment(name: str = "shop", replicas: int = 2, status: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": "market",
            "uid": "u-1",
            "resourceVersion": "7",
            "generation": 3,
            "labels": {"app": "shop", "app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"argocd.argoproj.io/tracking-id": "market:apps/Deployment:market/shop"},
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "shop"}},
            "strategy": {"type": "RollingUpdate"},
            "minReadySeconds": 1,
            "template": a_pod_template(),
        },
        "status": status or {},
    }


def a_pod(ready: bool = True, **container: Any) -> dict[str, Any]:
    """A pod of one container, whose status says what is given."""
    said = {"name": "shop", "restartCount": 0, "state": {"running": {}}, "lastState": {}, "ready": ready} | container
    conditions = [
        {"type": "PodScheduled", "status": "True"},
        {"type": "Ready", "status": str(ready), "message": "" if ready else "containers with unready status: [shop]"},
    ]
    return {
        "metadata": {"name": "shop-1", "uid": "p-1"},
        "spec": {"containers": [{"name": "shop", "image": "team/shop:v1"}]},
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": [said]},
    }
