"""Pods for the tests of what is said of them."""

from __future__ import annotations

from typing import Any

SHOP: dict[str, Any] = {"name": "shop", "image": "ghcr.io/acme/shop:v1"}


def a_pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """One as the API server has it, before its kubelet has said anything."""
    return {
        "metadata": {
            "name": "shop-5d8-x2x",
            "namespace": "shop-test",
            "uid": "0f3c",
            "generation": 1,
            "labels": {"app": "shop"},
            "annotations": {"team": "a"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "shop-canary-5d8", "controller": True}],
        },
        "spec": {"nodeName": "rig", "containers": list(containers or (SHOP,)), **spec},
        "status": {"phase": "Pending", "conditions": []},
    }
