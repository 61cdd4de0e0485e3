"""A stable of two hundred pods on a node that is status alone: no process of theirs runs, and nobody answers for their logs."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from serinus.moves.engine import KUBERNETES
from serinus.moves.instances import TOLD, told, troubles_of
from serinus.ports import Side
from tests.cluster.access import Access
from tests.workloads.on_kubernetes import CONTAINER, LABELS, Shop, a_deployment, a_service, a_shop

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
PODS, TROUBLED = 200, 30
SECONDS = 90.0


@pytest.fixture
async def kubelet() -> AsyncIterator[int]:
    """The port of one that takes every connection and says nothing, as a machine does that is about to die."""
    held: list[asyncio.StreamWriter] = []

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    for writer in held:
        writer.close()
    server.close()


@pytest.fixture
def node(space: Access, kubelet: int) -> str:
    """A node that takes pods and starts none. It goes with its pods."""
    name = f"status-{secrets.token_hex(3)}"
    room = {"cpu": "64", "memory": "64Gi", "pods": "500"}
    status = {
        "capacity": room,
        "allocatable": room,
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet}},
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
    }
    made = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"status-alone": name}}}
    space.apply(made)
    space.kubectl("patch", "node", name, "--subresource=status", "--type=merge", f"-p={json.dumps({'status': status})}")
    return name


@pytest.fixture
async def shop(space: Access, node: str) -> AsyncIterator[Shop]:
    pod: dict[str, Any] = {"containers": [CONTAINER], "nodeSelector": {"status-alone": node}}
    async with a_shop(space, a_deployment(replicas=PODS, **pod), a_service()) as made:
        try:
            yield made
        finally:
            space.kubectl("delete", "deployment", "shop", "--wait=false")
            space.kubectl("delete", "pods", "--all", "--force", "--grace-period=0", "--wait=false")
            space.kubectl("delete", "node", node, "--wait=false")


def running(pod: dict[str, Any], ready: bool) -> dict[str, Any]:
    """As its kubelet would say."""
    [container] = pod["spec"]["containers"]
    word, now = str(ready), "2026-01-01T00:00:00Z"
    state = {"name": container["name"], "ready": ready, "restartCount": 0, "image": container["image"], "imageID": ""}
    conditions = [{"type": kind, "status": word, "lastTransitionTime": now} for kind in ("Ready", "ContainersReady")]
    return {
        "phase": "Running",
        "conditions": conditions,
        "containerStatuses": [state | {"state": {"running": {"startedAt": now}}, "started": True}],
    }


def say(shop: Shop, pods: list[dict[str, Any]], ready: bool) -> None:
    """Their statuses, in one list that kubectl applies pod after pod."""
    for pod in pods:
        pod["status"] = running(pod, ready)
        pod["metadata"].pop("managedFields", None)
        pod["metadata"].pop("resourceVersion", None)
    whole = {"apiVersion": "v1", "kind": "List", "items": pods}
    shop.space.kubectl("replace", "--subresource=status", "-f", "-", given=json.dumps(whole))


async def until(shop: Shop, holds: Any) -> tuple[Side, float]:
    """Stable once that holds, and how long the longest look at it took, in seconds."""
    longest = 0.0
    async with asyncio.timeout(SECONDS):
        while True:
            began = time.monotonic()
            side = await shop.workload.stable()
            longest = max(longest, time.monotonic() - began)
            if holds(side):
                return side, longest
            await asyncio.sleep(1.0)


async def test_they_are_counted_and_a_dead_node_keeps_no_check_from_its_beat(shop: Shop) -> None:
    app = ",".join(f"{key}={value}" for key, value in LABELS.items())
    async with asyncio.timeout(SECONDS):
        while len(pods := await asyncio.to_thread(shop.pods, app)) < PODS or not all(
            p["spec"].get("nodeName") for p in pods
        ):
            await asyncio.sleep(1.0)
    await asyncio.to_thread(say, shop, pods, True)
    side, took = await until(shop, lambda side: side.settled)
    assert (side.replicas, side.ready, len(side.pods), troubles_of(side.pods)) == (PODS, PODS, PODS, ())
    await asyncio.to_thread(say, shop, pods[:TROUBLED], False)
    side, longest = await until(shop, lambda side: len(troubles_of(side.pods)) == TROUBLED)
    assert (side.ready, side.settled) == (PODS - TROUBLED, False)
    assert told(troubles_of(side.pods)).endswith(f"; and {TROUBLED - TOLD} more")
    assert longest < KUBERNETES.dead_seconds / 2, "an engine that looks at them is not silent"
    print(
        f"a look at {PODS} pods: {took:.2f} s; with {TROUBLED} that are not ready on a dead node at most {longest:.2f} s"
    )
