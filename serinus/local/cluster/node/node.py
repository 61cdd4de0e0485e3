"""Which pods are on this node? It registers itself, follows what the scheduler binds to it, and starts and forgets its pods."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from serinus.local.cluster.node import logs
from serinus.local.cluster.node.api import MERGE, UNREACHABLE, ApiError
from serinus.local.cluster.node.container import Life
from serinus.local.cluster.node.pod import Pod
from serinus.local.cluster.node.site import Site, now
from serinus.local.cluster.node.status import Object

RETRY_SECONDS = 0.5
ENDED = ("Succeeded", "Failed")
CONDITIONS = {
    "Ready": ("True", "KubeletReady", "kubelet is posting ready status"),
    "MemoryPressure": ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}


@dataclass(frozen=True, slots=True)
class Size:
    """What the scheduler may put there."""

    cpu: str = "32"
    memory: str = "64Gi"
    pods: int = 300


@dataclass(slots=True)
class Node:
    """One node.

    Args:
        port: of its own API
        addresses: for pods; one is used again only when all the others have been
    """

    site: Site
    size: Size
    port: int
    addresses: Iterator[str]
    _pods: dict[str, tuple[Pod, asyncio.Task[None]]] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled; then its processes are gone, and the API server still says what they were."""
        server = await logs.serve(self.find, self.site.address, self.port, self.site.folder)
        try:
            await self._register()
            self.site.say(f"node {self.site.name} is ready")
            while True:
                await self._follow()
        finally:
            await server.cleanup()
            for _, task in self._pods.values():
                task.cancel()
            await asyncio.gather(*(task for _, task in self._pods.values()), return_exceptions=True)

    def find(self, namespace: str, name: str, container: str) -> Life | None:
        for pod, _ in self._pods.values():
            metadata = pod.object["metadata"]
            if (metadata["namespace"], metadata["name"]) == (namespace, name):
                return pod.lives.get(container)
        return None

    async def _register(self) -> None:
        wanted, path = _node(self.site, self.size, self.port), "/api/v1/nodes"
        while True:
            try:
                with suppress_status(409):
                    await self.site.api.call("POST", path, wanted)
                patch = {"status": wanted["status"]}
                await self.site.api.call("PATCH", f"{path}/{self.site.name}/status", patch, kind=MERGE)
                return
            except UNREACHABLE as problem:
                self.site.say(f"node {self.site.name} is not registered: {type(problem).__name__}: {problem}")
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        """List, then watch until that ends: an API server that goes away is found again."""
        path, mine = "/api/v1/pods", f"spec.nodeName={self.site.name}"
        try:
            listed = await self.site.api.call("GET", path, fieldSelector=mine)
            here = {one["metadata"]["uid"] for one in listed["items"]}
            for uid in set(self._pods) - here:
                self._forget(uid)
            # Those that had an address here before come first: it is still theirs.
            for one in sorted(listed["items"], key=lambda one: "podIP" not in one.get("status", {})):
                self._seen(one)
            async for kind, one in self.site.api.watch(path, listed["metadata"]["resourceVersion"], fieldSelector=mine):
                if kind == "DELETED":
                    self._forget(one["metadata"]["uid"])
                else:
                    self._seen(one)
        except UNREACHABLE as problem:
            self.site.say(f"pods not watched: {type(problem).__name__}: {problem}")
            await asyncio.sleep(RETRY_SECONDS)

    def _seen(self, one: Object) -> None:
        uid = one["metadata"]["uid"]
        if uid in self._pods:
            return self._pods[uid][0].seen(one)
        if one.get("status", {}).get("phase") in ENDED and "deletionTimestamp" not in one["metadata"]:
            return None
        pod = Pod(one, self._address(one), self.site)
        task = asyncio.ensure_future(pod.live())
        self._pods[uid] = (pod, task)
        task.add_done_callback(lambda done: self._ended(uid, done))
        return None

    def _address(self, one: Object) -> str:
        """A pod keeps the one that it had under a node of this name before."""
        kept: str = one.get("status", {}).get("podIP", "")
        taken = {pod.ip for pod, _ in self._pods.values()}
        return kept if kept and kept not in taken else next(ip for ip in self.addresses if ip not in taken)

    def _ended(self, uid: str, task: asyncio.Task[None]) -> None:
        self._pods.pop(uid, None)
        if not task.cancelled() and task.exception():
            self.site.say(f"pod {uid}: {task.exception()!r}")

    def _forget(self, uid: str) -> None:
        """It was deleted without us, at once: its processes are killed."""
        if uid in self._pods:
            self._pods[uid][1].cancel()


@contextmanager
def suppress_status(*known: int) -> Iterator[None]:
    """An answer of the API server that is as good as done."""
    try:
        yield
    except ApiError as problem:
        if problem.status not in known:
            raise


def _node(site: Site, size: Size, port: int) -> dict[str, Object]:
    room = {"cpu": size.cpu, "memory": size.memory, "pods": str(size.pods)}
    return {
        "metadata": {
            "name": site.name,
            "labels": {"kubernetes.io/hostname": site.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
        },
        "status": {
            "capacity": room,
            "allocatable": room,
            # No name: nobody could look it up, and the API server asks by a name first.
            "addresses": [{"type": "InternalIP", "address": site.address}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "conditions": [
                {"type": kind, "status": said, "reason": reason, "message": message}
                | {"lastHeartbeatTime": now(), "lastTransitionTime": now()}
                for kind, (said, reason, message) in CONDITIONS.items()
            ],
        },
    }


def addresses(network: str) -> Iterator[str]:
    """Those of a network, round and round."""
    while True:
        yield from (str(one) for one in ipaddress.ip_network(network).hosts())
