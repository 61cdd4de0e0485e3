"""Pods that are ready before they can answer are told before a release; the container that serves counts alone."""

from __future__ import annotations

from typing import Any

from serinus.kube.unprobed import findings
from tests.kube.objects import a_template

PROBED: dict[str, Any] = {"name": "shop", "image": "team/shop:v1", "readinessProbe": {"tcpSocket": {"port": 80}}}
SLEEPS: dict[str, Any] = {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}
BARE = {"name": "proxy", "image": "team/proxy:v1"}


def test_a_probe_of_the_container_that_serves_is_in_order() -> None:
    assert findings(a_template(PROBED | SLEEPS, BARE), "shop", "shop") == []


def test_without_one_it_is_said_and_hinders_nothing() -> None:
    (found,) = findings(a_template(PROBED, BARE | SLEEPS), "proxy", "shop")
    assert not found.fatal
    assert str(found).startswith(
        "Deployment shop: container proxy has no readiness probe: requests reach its pods before"
    )


def test_without_a_hook_before_its_end_it_is_said_and_hinders_nothing() -> None:
    (found,) = findings(a_template(PROBED | {"lifecycle": {"postStart": {}}}), "shop", "shop")
    assert not found.fatal
    assert str(found).startswith("Deployment shop: container shop has no preStop: who still has a pod's address")
