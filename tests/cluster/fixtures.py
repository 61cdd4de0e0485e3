"""How does a test get its cluster? One a test process, started when first asked for; or the one that the user names.

SERINUS_TEST_KUBECONFIG   a cluster of the user's own; SERINUS_TEST_INGRESS, SERINUS_TEST_GATEWAY and
                          SERINUS_TEST_PROMETHEUS then say where those answer
SERINUS_TEST_CLUSTER      the folder of one that `python -m serinus.local.cluster up` started (`exec` sets it)
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir, mkdtemp

import pytest

from serinus.errors import Refused, SerinusError
from serinus.local.child import tail, tied
from serinus.local.cluster import namespace
from serinus.local.cluster.cluster import FOREIGN, RUNNING, Cluster, read
from serinus.local.cluster.programs import CONTOUR, KUBERNETES
from serinus.local.cluster.toolchain import ROOT
from serinus.stores.process import identity_of
from tests.cluster import mending
from tests.cluster.access import Access

START_SECONDS = 90.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.02
PREFIX = "serinus-cluster-"
OWNER = re.compile(rf"{PREFIX}(?P<pid>\d+)-(?P<start_time>\d+)-")
_entered = pytest.StashKey[str]()


def enter(config: pytest.Config) -> None:
    """Move this process where a cluster's addresses are, before its first test makes a thread that would stay outside."""
    if os.environ.get(FOREIGN) or os.environ.get(RUNNING) or _entered in config.stash:
        return
    reason = namespace.why_not()
    if reason is None:
        try:
            namespace.enter()
        except Refused as problem:
            reason = str(problem)
    config.stash[_entered] = reason or ""


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A real Kubernetes with Contour, Envoy, Prometheus and a node; what it holds is shared by all tests of a process."""
    if os.environ.get(FOREIGN):
        yield _foreign(os.environ)
    elif os.environ.get(RUNNING):
        found = read(Path(os.environ[RUNNING]))
        if found is None:
            pytest.fail(f"no cluster is ready in {os.environ[RUNNING]}, which {RUNNING} names", pytrace=False)
        yield found
    else:
        enter(request.config)
        if reason := request.config.stash[_entered]:
            pytest.skip(reason)
        yield from _started()


@pytest.fixture
def own_cluster(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, for a test that takes a part of it away; skipped where it is the user's. Whole again afterwards."""
    if os.environ.get(FOREIGN):
        pytest.skip("takes a part of the cluster away, which is not done to a cluster of yours")
    before = mending.pids(cluster)
    yield cluster
    mending.mend(cluster, before)


@pytest.fixture
def space(cluster: Cluster) -> Iterator[Access]:
    """A Kubernetes namespace of this test's own, and everything that may be done in it."""
    yield from a_space(cluster)


def a_space(cluster: Cluster) -> Iterator[Access]:
    """For a fixture: one more such namespace."""
    made = Access.of(cluster, f"test-{secrets.token_hex(4)}")
    made.create()
    yield made
    made.delete()


def _started() -> Iterator[Cluster]:
    lacking = [one.name for one in (KUBERNETES, CONTOUR) if not one.home.exists()]
    if lacking:
        pytest.fail(
            f"{' and '.join(lacking)} must be built first: `python -m serinus.local.cluster build`", pytrace=False
        )
    folder = new_folder()
    process, found = launch(folder, "--inside")
    try:
        yield found
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    shutil.rmtree(folder, ignore_errors=True)


def new_folder() -> Path:
    """Not below pytest's own folders: their paths are too long for a socket. What killed processes left goes first."""
    me = identity_of(os.getpid())
    assert me is not None
    for left in Path(gettempdir()).glob(f"{PREFIX}*"):
        if named := OWNER.match(left.name):
            owner = identity_of(int(named["pid"]))
            if owner is None or owner.start_time != int(named["start_time"]):
                shutil.rmtree(left, ignore_errors=True)
    return Path(mkdtemp(prefix=f"{PREFIX}{me.pid}-{me.start_time}-"))


def launch(folder: Path, *flags: str) -> tuple[subprocess.Popen[bytes], Cluster]:
    """A cluster as a child, once it is ready; it dies with this process."""
    words = (sys.executable, "-m", "serinus.local.cluster", "up", *flags, "--folder", str(folder))
    output = folder / "up.log"
    with output.open("wb") as log:
        process = subprocess.Popen(tied(words), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    deadline = time.monotonic() + START_SECONDS
    while (found := read(folder)) is None:
        if process.poll() is not None:
            pytest.fail(f"the cluster did not start; its files are in {folder}:\n{tail(output)}", pytrace=False)
        if time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"the cluster was not ready in {START_SECONDS:.0f} s:\n{tail(output)}", pytrace=False)
        time.sleep(POLL_SECONDS)
    return process, found


def _foreign(told: os._Environ[str]) -> Cluster:
    needed = ("SERINUS_TEST_INGRESS", "SERINUS_TEST_PROMETHEUS")
    lacking = [name for name in needed if not told.get(name)]
    if lacking:
        pytest.fail(f"{FOREIGN} names a cluster; {' and '.join(lacking)} must say where these answer", pytrace=False)
    kubeconfig = Path(told[FOREIGN]).resolve()
    kubectl = shutil.which("kubectl") or str(KUBERNETES.home / "kubectl")
    if not kubeconfig.exists():
        pytest.fail(f"{FOREIGN} names {kubeconfig}, which is not there", pytrace=False)
    try:
        server = Access.server_of(kubeconfig, kubectl)
    except SerinusError as problem:
        pytest.fail(str(problem), pytrace=False)
    return Cluster(
        folder=kubeconfig.parent,
        pid=0,
        api=server,
        kubeconfig=kubeconfig,
        ingress=told["SERINUS_TEST_INGRESS"],
        gateway=told.get("SERINUS_TEST_GATEWAY") or told["SERINUS_TEST_INGRESS"],
        prometheus=told["SERINUS_TEST_PROMETHEUS"],
        envoy_admin=kubeconfig.parent / "envoy.sock",
        kubectl=Path(kubectl),
    )
