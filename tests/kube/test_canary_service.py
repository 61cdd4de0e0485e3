"""The canary's Service has stable's ports, the canary's pods, and nothing by which others hold it for theirs."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.errors import Refused
from serinus.kube import names
from serinus.kube.canary_service import made

STABLE: dict[str, Any] = {
    "metadata": {
        "name": "shop",
        "labels": {"app": "shop", "argocd.argoproj.io/instance": "market"},
        "annotations": {"projectcontour.io/upstream-protocol.h2c": "80", "meta.helm.sh/release-name": "market"},
    },
    "spec": {
        "type": "LoadBalancer",
        "clusterIP": "10.96.0.7",
        "clusterIPs": ["10.96.0.7"],
        "externalTrafficPolicy": "Local",
        "sessionAffinity": "ClientIP",
        "ports": [
            {"name": "http", "port": 80, "targetPort": "web", "nodePort": 30080},
            {"name": "metrics", "port": 9090, "targetPort": 9090},
        ],
        "selector": {"app": "shop"},
    },
}


def test_it_is_stable_s_for_the_canary_s_pods() -> None:
    service = made(STABLE, "shop-canary", "shop-r1", "shop-canary")
    assert service["spec"] == {
        "type": "ClusterIP",
        "sessionAffinity": "ClientIP",
        "ports": [
            {"name": "http", "port": 80, "targetPort": "web"},
            {"name": "metrics", "port": 9090, "targetPort": 9090},
        ],
        "selector": {names.CANARY: "shop-canary", names.RELEASE: "shop-r1"},
    }
    assert service["metadata"]["labels"] == {"app": "shop", names.MANAGED_BY: "serinus", names.RELEASE: "shop-r1"}
    said = {"projectcontour.io/upstream-protocol.h2c": "80", names.RELEASE: "shop-r1"}
    assert service["metadata"]["annotations"] == said


def test_a_headless_one_stays_headless() -> None:
    headless = {**STABLE, "spec": {**STABLE["spec"], "clusterIP": "None", "type": "ClusterIP"}}
    assert made(headless, "shop-canary", "shop-r1", "shop-canary")["spec"]["clusterIP"] == "None"


def test_one_without_pods_is_refused() -> None:
    other = {**STABLE, "spec": {"type": "ExternalName", "externalName": "shop.example"}}
    with pytest.raises(Refused, match="Service shop selects no pods"):
        made(other, "shop-canary", "shop-r1", "shop-canary")
