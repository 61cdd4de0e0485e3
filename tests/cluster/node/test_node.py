"""Pods of a real control plane on the process node: what goes well and what goes wrong, as a kubelet would have it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from serinus.errors import Unavailable
from serinus.local.cluster.cluster import Cluster
from serinus.local.cluster.node.images import retag
from serinus.local.fault import NONE, Fault, write_fault
from serinus.stores.process import identity_of
from tests.cluster.access import Access

SECONDS = 30.0
PORTS = [{"name": "http", "containerPort": 8080}]
READINESS = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1}
SHOP = {"name": "shop", "image": "ghcr.io/acme/shop:v1.0", "ports": PORTS, "readinessProbe": READINESS}
CONF = {"name": "conf", "configMap": {"name": "conf"}}


async def until(holds: Callable[[], Any], what: str) -> Any:
    """Its first answer that is something."""
    try:
        async with asyncio.timeout(SECONDS):
            while not (found := await asyncio.to_thread(holds)):
                await asyncio.sleep(0.2)
            return found
    except TimeoutError:
        raise AssertionError(f"{what}: not within {SECONDS:.0f} s") from None


@dataclass(frozen=True)
class Shop:
    """One Deployment with its Service."""

    space: Access
    name: str = "shop"

    def deploy(self, *containers: dict[str, Any], replicas: int = 1, **spec: Any) -> None:
        labels = {"app": self.name}
        pod = {"metadata": {"labels": labels}, "spec": {"containers": list(containers), **spec}}
        wanted = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod}
        named = {"metadata": {"name": self.name}}
        self.space.apply(
            {"apiVersion": "apps/v1", "kind": "Deployment", **named, "spec": wanted},
            {"apiVersion": "v1", "kind": "Service", **named, "spec": {"selector": labels, "ports": [{"port": 8080}]}},
        )

    def pods(self) -> list[dict[str, Any]]:
        listed = json.loads(self.space.kubectl("get", "pods", f"--selector=app={self.name}", "-o=json"))
        items: list[dict[str, Any]] = listed["items"]
        return items

    def container(self, index: int = 0) -> dict[str, Any]:
        """The status of the only pod's; empty before there is one."""
        statuses = [one for pod in self.pods() for one in pod["status"].get("containerStatuses", [])]
        return statuses[index] if len(statuses) > index else {}

    def served(self) -> list[str]:
        """Addresses that the Service leads to."""
        selector = f"--selector=kubernetes.io/service-name={self.name}"
        slices = json.loads(self.space.kubectl("get", "endpointslices", selector, "-o=json"))["items"]
        ends = [end for one in slices for end in one["endpoints"] or [] if end["conditions"]["ready"]]
        return sorted(end["addresses"][0] for end in ends)

    async def serves(self, replicas: int = 1) -> list[str]:
        found: list[str] = await until(lambda: len(self.served()) == replicas and self.served(), "it serves")
        return found

    async def waits_for(self, reason: str) -> dict[str, Any]:
        def now() -> dict[str, Any]:
            found = self.container()
            return found if found.get("state", {}).get("waiting", {}).get("reason") == reason else {}

        found: dict[str, Any] = await until(now, f"it waits: {reason}")
        return found

    def events(self) -> set[str]:
        listed = json.loads(self.space.kubectl("get", "events", "-o=json"))["items"]
        return {one["reason"] for one in listed if one["involvedObject"]["kind"] == "Pod"}

    def conf(self, **data: str) -> None:
        self.space.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": data})


@pytest.fixture
def shop(space: Access) -> Shop:
    return Shop(space)


@pytest.fixture
def folder(own_cluster: Cluster) -> Path:
    """The node's own; what is asked of it here no foreign cluster could answer."""
    return own_cluster.folder / "node"


async def get(address: str, path: str = "/", port: int = 8080) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=5) as client:
        return await client.get(f"http://{address}:{port}{path}")


async def test_its_pods_are_served_and_answer(shop: Shop, folder: Path) -> None:
    shop.deploy(SHOP, replicas=2)
    addresses = await shop.serves(2)
    answers = [(await get(address)).json() for address in addresses]
    assert {answer["version"] for answer in answers} == {"v1.0"}
    pods = {pod["metadata"]["name"]: pod["status"] for pod in shop.pods()}
    assert {answer["pod"] for answer in answers} == set(pods)
    assert all(status["phase"] == "Running" for status in pods.values())
    shop.space.kubectl("rollout", "status", "deployment/shop", "--timeout=20s")


async def test_a_crash_is_restarted_slower_and_slower_and_its_log_can_be_read(shop: Shop, folder: Path) -> None:
    crash = {**SHOP, "image": "shop:v2-crash", "terminationMessagePolicy": "FallbackToLogsOnError"}
    shop.deploy(crash)
    found = await shop.waits_for("CrashLoopBackOff")
    end = found["lastState"]["terminated"]
    assert (found["restartCount"], end["exitCode"], end["reason"]) == (1, 1, "Error")
    assert "payment.url" in end["message"]
    assert "payment.url" in shop.space.kubectl("logs", "deployment/shop", "--tail=5")
    assert "payment.url" in shop.space.kubectl("logs", "deployment/shop", "--previous")
    assert not shop.served()
    await until(lambda: "BackOff" in shop.events(), "an event says so")


async def test_an_image_that_is_not_there_and_then_is(shop: Shop, folder: Path) -> None:
    shop.deploy({**SHOP, "image": "shop:v99"})
    assert "not found" in (await shop.waits_for("ErrImagePull"))["state"]["waiting"]["message"]
    await shop.waits_for("ImagePullBackOff")
    with pytest.raises(Unavailable, match="trying and failing to pull image"):
        shop.space.kubectl("logs", "deployment/shop")
    shop.deploy(SHOP)
    await shop.serves()


async def test_a_probe_takes_a_pod_out_and_puts_it_back(shop: Shop, folder: Path) -> None:
    shop.deploy({**SHOP, "readinessProbe": {**READINESS, "failureThreshold": 1}}, replicas=2)
    both = await shop.serves(2)
    faults = folder / "faults" / f"{shop.space.namespace}.json"
    write_fault(faults, "shop", Fault(dead=True))
    await until(lambda: not shop.served(), "nobody serves")
    assert all(pod["status"]["phase"] == "Running" for pod in shop.pods())
    assert "Unhealthy" in shop.events()
    write_fault(faults, "shop", NONE)
    assert await shop.serves(2) == both


async def test_one_that_never_gets_ready_is_never_served(shop: Shop, folder: Path) -> None:
    shop.deploy({**SHOP, "image": "shop:v2-unready"})
    found = await until(lambda: shop.container() if "Unhealthy" in shop.events() else None, "its probe fails")
    assert (found["started"], found["ready"], found["restartCount"]) == (True, False, 0)
    assert not shop.served()


async def test_too_much_memory_is_the_end(shop: Shop, folder: Path) -> None:
    shop.deploy({**SHOP, "image": "shop:v2-leak", "resources": {"limits": {"memory": "64Mi"}}})
    (address,) = await shop.serves()

    async def leak() -> None:
        while True:
            try:
                await get(address)
            except httpx.TransportError:
                await asyncio.sleep(0.02)

    leaking = asyncio.ensure_future(leak())
    try:
        found = await until(lambda: shop.container()["lastState"] and shop.container(), "it is restarted")
    finally:
        leaking.cancel()
    end = found["lastState"]["terminated"]
    assert (end["reason"], end["exitCode"]) == ("OOMKilled", 137)


async def test_init_containers_and_a_sidecar_come_first(shop: Shop, folder: Path) -> None:
    shop.conf(greeting="hello")
    mount = [{"name": "conf", "mountPath": "/etc/conf"}]
    first = {"name": "first", "image": "busybox", "command": ["cat", "/etc/conf/greeting"], "volumeMounts": mount}
    ports = [{"containerPort": 9901}]
    beside = {"name": "beside", "image": "acme/proxy:v1", "ports": ports, "restartPolicy": "Always"}
    shop.deploy(SHOP, initContainers=[first, beside], volumes=[CONF])
    (address,) = await shop.serves()
    assert shop.space.kubectl("logs", "deployment/shop", "--container=first") == "hello"
    assert (await get(address, port=9901)).json()["version"] == "v1"
    (pod,) = shop.pods()
    done, sidecar = pod["status"]["initContainerStatuses"]
    assert (done["state"]["terminated"]["exitCode"], done["ready"], sidecar["ready"]) == (0, True, True)


async def test_two_containers_share_an_address(shop: Shop, folder: Path) -> None:
    second = {"name": "other", "image": "acme/other:v2", "ports": [{"containerPort": 9000}]}
    shop.deploy(SHOP, second)
    (address,) = await shop.serves()
    await until(lambda: shop.container(1).get("ready"), "the second is ready")
    assert [(await get(address, port=port)).json()["version"] for port in (8080, 9000)] == ["v1.0", "v2"]


async def test_config_that_is_missing_and_then_changes(shop: Shop, folder: Path) -> None:
    level = {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "level", "key": "level"}}}
    mount = [{"name": "conf", "mountPath": "/etc/conf"}]
    shop.deploy({**SHOP, "env": [level], "volumeMounts": mount, "args": ["--faults=/etc/conf/faults"]}, volumes=[CONF])
    await until(lambda: "FailedMount" in shop.events(), "its volume cannot be mounted")
    shop.conf(faults="{}")
    await shop.waits_for("CreateContainerConfigError")
    shop.space.kubectl("create", "configmap", "level", "--from-literal=level=3")
    (address,) = await shop.serves()
    assert (await get(address)).status_code == 200
    shop.conf(faults=json.dumps({"all": {"error_rate": 1.0}}))
    async with asyncio.timeout(SECONDS):
        while (await get(address)).status_code != 500:
            await asyncio.sleep(0.05)


async def test_a_liveness_probe_starts_it_again(shop: Shop, folder: Path) -> None:
    liveness = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    shop.deploy({**SHOP, "livenessProbe": liveness}, terminationGracePeriodSeconds=2)
    await until(lambda: shop.container().get("restartCount"), "it is restarted")


async def test_told_to_go_it_has_its_grace_and_then_is_gone(shop: Shop, folder: Path) -> None:
    deaf = {
        "name": "deaf",
        "image": "busybox",
        "command": ["sh", "-c", "trap '' TERM; echo up $$$$; while :; do sleep 1; done"],
    }
    shop.deploy(deaf, terminationGracePeriodSeconds=1)
    await until(lambda: shop.container().get("ready"), "it runs")
    pid = await until(lambda: "up" in (said := shop.space.kubectl("logs", "deployment/shop")) and said, "it says so")
    shop.space.kubectl("delete", "deployment/shop")
    await until(lambda: not shop.pods(), "it is gone")
    assert identity_of(int(pid.split()[1])) is None


async def test_a_pod_that_leaves_answers_as_long_as_its_hook_runs(shop: Shop, folder: Path) -> None:
    shop.deploy({**SHOP, "lifecycle": {"preStop": {"sleep": {"seconds": 2}}}})
    (address,) = await shop.serves()
    shop.space.kubectl("delete", "deployment/shop", "--cascade=foreground", "--wait=false")
    await until(lambda: not shop.served(), "the Service does not lead to it any more")
    assert (await get(address)).status_code == 200
    await until(lambda: not shop.pods(), "it is gone")


async def test_deleted_at_once(shop: Shop, folder: Path) -> None:
    shop.deploy(SHOP)
    (address,) = await shop.serves()
    (pod,) = shop.pods()
    name = pod["metadata"]["name"]
    shop.space.kubectl("delete", f"pod/{name}", "--grace-period=0", "--force")
    assert await until(lambda: [one for one in shop.served() if one != address], "another one serves")


async def test_no_room_is_the_scheduler_s_word(shop: Shop, folder: Path) -> None:
    shop.deploy({**SHOP, "resources": {"requests": {"cpu": "1000"}}})

    def unschedulable() -> bool:
        return any(
            one["reason"] == "Unschedulable" for pod in shop.pods() for one in pod["status"].get("conditions", [])
        )

    await until(unschedulable, "it is not scheduled")


async def test_somebody_pushes_over_a_tag(shop: Shop, folder: Path) -> None:
    image = f"{shop.space.namespace}/shop"
    retag(folder / "images.json", f"{image}:latest", "v1")
    shop.deploy({**SHOP, "image": f"{image}:latest"})
    (address,) = await shop.serves()
    digest = shop.container()["imageID"]
    retag(folder / "images.json", f"{image}:latest", "v2")
    assert (await get(address)).json()["version"] == "v1"
    shop.space.kubectl("rollout", "restart", "deployment/shop")
    shop.space.kubectl("rollout", "status", "deployment/shop", "--timeout=20s")
    await until(lambda: len(shop.pods()) == 1, "the old one is gone")
    assert shop.container()["imageID"] != digest
    shop.deploy({**SHOP, "image": digest})
    shop.space.kubectl("rollout", "status", "deployment/shop", "--timeout=20s")
    await until(lambda: len(shop.pods()) == 1, "the old one is gone")
    assert shop.container()["imageID"] == digest


async def test_pods_live_on_without_the_api_server(shop: Shop, own_cluster: Cluster) -> None:
    shop.deploy(SHOP)
    (address,) = await shop.serves()
    with own_cluster.without("kube-apiserver"):
        assert (await get(address)).status_code == 200

    def again() -> bool:
        try:
            shop.deploy({**SHOP, "image": "shop:v2"})
        except Unavailable:
            return False
        return True

    await until(again, "the API server is back")
    await until(lambda: shop.container().get("image") == "shop:v2" and shop.served(), "the new one serves")


async def test_a_node_that_comes_back_starts_its_pods_again(shop: Shop, own_cluster: Cluster) -> None:
    shop.deploy(SHOP)
    (address,) = await shop.serves()
    with own_cluster.without("node"), pytest.raises(httpx.TransportError):
        await get(address)
    found = await until(lambda: shop.container()["restartCount"] and shop.container(), "it is started again")
    assert found["lastState"]["terminated"]["exitCode"] == 255
    assert await shop.serves() == [address]


WHO_AM_I = """
from kubernetes import client, config
config.load_incluster_config()
review = client.AuthenticationV1Api().create_self_subject_review({}, _request_timeout=10)
print(review.status.user_info.username)
"""


async def test_a_program_in_a_pod_is_its_service_account(shop: Shop, own_cluster: Cluster, folder: Path) -> None:
    space = shop.space
    authority = json.loads(own_cluster.kubeconfig.read_text())["clusters"][0]["cluster"]["certificate-authority"]
    space.kubectl("create", "configmap", "authority", f"--from-file=ca.crt={authority}")
    space.kubectl("create", "serviceaccount", "robot")
    token = {"serviceAccountToken": {"path": "token"}}
    account = {"name": "account", "projected": {"sources": [token, {"configMap": {"name": "authority"}}]}}
    mount = {"name": "account", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    command = [sys.executable, "-c", WHO_AM_I]
    robot = {"name": "robot", "image": "busybox", "command": command, "volumeMounts": [mount]}
    spec = {"containers": [robot], "volumes": [account], "serviceAccountName": "robot", "restartPolicy": "Never"}
    space.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "robot"}, "spec": spec})

    def phase() -> str:
        return str(space.get("pod", "robot")["status"].get("phase"))

    await until(lambda: phase() in ("Succeeded", "Failed"), "it has run")
    said = space.kubectl("logs", "robot")
    assert (phase(), said.strip()) == ("Succeeded", f"system:serviceaccount:{space.namespace}:robot"), said
