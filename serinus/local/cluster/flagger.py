"""How is Flagger run on a cluster? What the benchmark measures us against, as its own documentation sets it up for Contour."""

from __future__ import annotations

import httpx

from serinus.local.child import Command
from serinus.local.cluster import objects
from serinus.local.cluster.cluster import Cluster
from serinus.local.cluster.programs import program

PORT = 8090
"""Its own web server; 8080 is Envoy's."""


async def define(api: httpx.AsyncClient) -> None:
    """Make its kinds known: Canary, MetricTemplate, AlertProvider."""
    await objects.define(api, ("flagger",))


def command(cluster: Cluster) -> Command:
    words = (
        str(program("flagger")),
        f"-kubeconfig={cluster.kubeconfig}",
        "-mesh-provider=contour",
        "-ingress-class=contour",
        f"-metrics-server={cluster.prometheus}",
        f"-port={PORT}",
        "-log-level=info",
    )
    return Command("flagger", words, cluster.log("flagger"))
