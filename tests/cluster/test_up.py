"""Does a cluster stand, does it take a part away and bring it back, and is nothing left of it however it ends?"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from serinus.errors import Refused, Unavailable
from serinus.local.cluster.cluster import Cluster
from serinus.local.cluster.toolchain import ROOT
from serinus.local.cluster.up import up
from serinus.stores.process import identity_of
from tests.cluster import mending
from tests.cluster.access import Access
from tests.cluster.fixtures import launch, new_folder

PARTS = {
    "contour",
    "envoy",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "node",
    "prometheus",
}


def until(holds: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


def test_every_part_runs(own_cluster: Cluster) -> None:
    assert set(own_cluster.parts()) == PARTS
    assert all(identity_of(own_cluster.pid_of(part) or 0) for part in PARTS)


def test_the_server_tells_its_version_and_its_kinds(own_cluster: Cluster, space: Access) -> None:
    version = json.loads(space.kubectl("get", "--raw", "/version"))
    assert (version["major"], version["minor"]) == ("1", "35")
    kinds = space.kubectl("api-resources", "--no-headers", "-o=name").split()
    assert {"httpproxies.projectcontour.io", "httproutes.gateway.networking.k8s.io"} <= set(kinds)


def test_rights_are_asked_of_a_service_account(space: Access, tmp_path: Path) -> None:
    space.kubectl("create", "serviceaccount", "reader")
    space.kubectl("create", "role", "reads", "--verb=get", "--resource=configmaps")
    space.kubectl("create", "rolebinding", "reads", "--role=reads", f"--serviceaccount={space.namespace}:reader")
    reader = space.as_account("reader", tmp_path)
    assert reader.get("configmap", "kube-root-ca.crt")["kind"] == "ConfigMap"
    with pytest.raises(Unavailable, match='cannot get resource "secrets"'):
        reader.get("secret", "any")


def test_a_part_that_is_killed_comes_back(own_cluster: Cluster) -> None:
    before = own_cluster.pid_of("kube-scheduler")
    assert before is not None
    os.kill(before, signal.SIGKILL)
    until(lambda: own_cluster.pid_of("kube-scheduler") not in (None, before), "a new scheduler")


def test_a_part_is_taken_away_and_comes_back(own_cluster: Cluster, space: Access) -> None:
    with own_cluster.without("kube-apiserver"), pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 6443), timeout=5)

    def answers() -> bool:
        try:
            return space.kubectl("get", "--raw", "/readyz") == "ok"
        except Unavailable:
            return False

    until(answers, "the API server answers again")


def test_a_cluster_whose_server_was_away_works_at_once_for_the_next_test(own_cluster: Cluster, space: Access) -> None:
    before = mending.pids(own_cluster)
    with own_cluster.without("kube-apiserver"):
        pass
    mending.mend(own_cluster, before)
    service = {"spec": {"ports": [{"port": 80}]}, "apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}}
    front = {
        "virtualhost": {"fqdn": f"{space.namespace}.example"},
        "routes": [{"services": [{"name": "shop", "port": 80}]}],
    }
    proxy = {"apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "metadata": {"name": "shop"}, "spec": front}
    space.apply(service, proxy)
    space.kubectl("wait", "httpproxy/shop", "--for=jsonpath={.status.currentStatus}=valid", "--timeout=10s")
    space.kubectl("create", "deployment", "shop", "--image=shop:v1")
    space.kubectl("rollout", "status", "deployment/shop", "--timeout=20s")


def test_a_part_that_is_not_there_cannot_be_taken_away(own_cluster: Cluster) -> None:
    with (
        pytest.raises(Refused, match=r"kubelet does not run in this cluster: contour, "),
        own_cluster.without("kubelet"),
    ):
        pass


def test_a_frozen_part_says_nothing(own_cluster: Cluster) -> None:
    with own_cluster.frozen("prometheus"), pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{own_cluster.prometheus}/-/ready", timeout=0.3, trust_env=False)
    assert httpx.get(f"{own_cluster.prometheus}/-/ready", timeout=10, trust_env=False).status_code == 200


def test_a_second_one_in_the_same_folder_is_refused_and_harms_nothing(own_cluster: Cluster, space: Access) -> None:
    words = (sys.executable, "-m", "serinus.local.cluster", "up", "--inside", "--folder", str(own_cluster.folder))
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"cluster: a cluster runs in {own_cluster.folder} already")
    assert space.kubectl("get", "--raw", "/readyz") == "ok"


async def test_a_folder_with_too_long_a_name_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is too long a path for a socket in it"):
        await up(tmp_path / ("long" * 25), print)


def children_of(pid: int) -> set[int]:
    """It and all that descend from it."""
    found = {pid}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == pid:
                found |= children_of(int(entry.name))
    return found


@pytest.mark.usefixtures("own_cluster")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "asked"])
def test_nothing_is_left_of_it(number: signal.Signals) -> None:
    folder = new_folder()
    process, cluster = launch(folder)
    family = {found for pid in children_of(cluster.pid) if (found := identity_of(pid)) is not None}
    assert len(family) > len(PARTS)
    os.kill(cluster.pid, number)
    assert process.wait(30) in (0, -number)
    until(lambda: not any(one.alive for one in family), "every process of the cluster's is gone")
    subprocess.run(["rm", "-rf", str(folder)], check=True, timeout=30)
