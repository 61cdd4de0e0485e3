"""Is a cluster whole again after a test took a part of it away?

Whoever watches an API server that went away tries again later and later, kind by kind: for half a minute a router may know
a route and not its Services. So what watched it is started anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import httpx

from serinus.errors import Unavailable
from serinus.local.cluster.cluster import Cluster
from serinus.local.cluster.objects import STANDING_HOST
from tests.cluster.access import Access

WATCHED = ("etcd", "kube-apiserver")
WATCHING = ("kube-controller-manager", "kube-scheduler", "contour", "envoy")
"""In the order in which they are started anew; the node finds the server again by itself."""
SECONDS = 40.0
POLL_SECONDS = 0.05
ASK_SECONDS = 2.0


def pids(cluster: Cluster) -> Mapping[str, int | None]:
    """Which process each part is now."""
    return {part: cluster.pid_of(part) for part in (*WATCHED, *WATCHING)}


def mend(cluster: Cluster, before: Mapping[str, int | None]) -> None:
    """Where a part is another process than before, see that all of them work together again.

    Raises:
        Unavailable: they do not within `SECONDS`
    """
    if pids(cluster) == before:
        return
    _until(lambda: _api_answers(cluster), "the API server answers")
    if any(cluster.pid_of(part) != before[part] for part in WATCHED):
        for part in WATCHING:
            _until(lambda part=part: cluster.pid_of(part) is not None, f"{part} runs")  # type: ignore[misc]
            with cluster.without(part):
                pass
    _until(lambda: _envoy_serves(cluster), "Envoy serves what Contour tells it")


def _api_answers(cluster: Cluster) -> bool:
    try:
        return Access.of(cluster, "default").kubectl("get", "--raw", "/readyz") == "ok"
    except Unavailable:
        return False


def _envoy_serves(cluster: Cluster) -> bool:
    try:
        answer = httpx.get(
            cluster.ingress, headers={"Host": STANDING_HOST}, timeout=ASK_SECONDS, trust_env=False, verify=False
        )
    except httpx.HTTPError:
        return False
    return answer.status_code == 200


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise Unavailable(f"after a part was taken away, not within {SECONDS:.0f} s: {what}")
        time.sleep(POLL_SECONDS)
