"""How does Flagger release the same version? A Canary as its documentation for Contour has it, with our steps."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from bench.kubernetes.ground import until
from bench.kubernetes.row import Play
from bench.kubernetes.space import IMAGE, STABLE, Space

CANARY = "flagger.app/v1beta1/canaries/shop"
PROXY = "projectcontour.io/v1/httpproxies/shop"
INITIALISED_SECONDS = 300.0
"""Some intervals."""
ENDED_SECONDS = 1500.0
POLL_SECONDS = 0.25
ENDS = {"Failed": "rolled back", "Succeeded": "promoted"}


def canary(play: Play, prometheus: str) -> dict[str, Any]:
    """Metrics, their limits and windows: those of Flagger's tutorial for Contour. The steps: ours.

    Args:
        prometheus: where its figures are
    """
    metrics = [
        {"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"},
        {"name": "request-duration", "thresholdRange": {"max": 500}, "interval": "30s"},
    ]
    analysis = {
        "interval": play.interval,
        "threshold": play.threshold,
        "stepWeights": [5, 10, 25, 50],
        "metrics": metrics,
    }
    spec = {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
        "metricsServer": prometheus,
        "progressDeadlineSeconds": 60,
        "service": {"port": 80, "targetPort": "http"},
        "analysis": analysis,
    }
    return {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "shop"}, "spec": spec}


async def initialised(where: Space, play: Play) -> None:
    """Flagger has the service, as it stands after an earlier release or for the first time, and users are answered.

    Raises:
        Unavailable: it has not, after so long
    """
    if await where.stable() != STABLE:
        # Back to what the primary runs: Flagger does not begin anything for that.
        await _set_image(where, STABLE)
    await asyncio.to_thread(where.access.apply, canary(play, where.there.prometheus(play.scrape)))

    async def stands() -> bool:
        phase = (await where.get(CANARY)).get("status", {}).get("phase", "")
        return phase in ("Initialized", "Failed", "Succeeded") and await where.is_served()

    await until(stands, f"Flagger has initialised {where.name}", INITIALISED_SECONDS, POLL_SECONDS)


async def released(where: Space, version: str) -> tuple[str, dict[str, Any]]:
    """Give it the version, and wait for its own word that this has ended."""
    await _set_image(where, version)
    loop = asyncio.get_running_loop()
    began, begun, weights, status = loop.time(), False, [[0.0, 0]], dict[str, Any]()
    while loop.time() - began < ENDED_SECONDS:
        try:
            status = (await where.get(CANARY))["status"]
            weight = await _weight(where)
        except (httpx.HTTPError, KeyError):
            await asyncio.sleep(POLL_SECONDS)
            continue
        if weight != weights[-1][1]:
            weights.append([round(loop.time() - began, 2), weight])
        begun = begun or status["phase"] in ("Progressing", "Promoting", "Finalising")
        if begun and status["phase"] in ENDS:
            return ENDS[status["phase"]], {"weights": weights, "status": status}
        await asyncio.sleep(POLL_SECONDS)
    return f"still {status.get('phase')}", {"weights": weights, "status": status}


async def _weight(where: Space) -> int:
    """The canary's, as the route has it."""
    services = (await where.get(PROXY))["spec"]["routes"][0]["services"]
    return next((one.get("weight", 0) for one in services if one["name"] == "shop-canary"), 0)


async def _set_image(where: Space, version: str) -> None:
    await asyncio.to_thread(where.access.kubectl, "set", "image", "deployment/shop", f"shop={IMAGE}:{version}")
