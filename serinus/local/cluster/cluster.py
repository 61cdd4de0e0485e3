"""What must one know of a cluster that runs? Where its parts answer, and how one of them is taken away for a while.

Starting and ending it is `up`'s.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from serinus.errors import Refused, Unavailable

FOREIGN = "SERINUS_TEST_KUBECONFIG"
"""Names a cluster of the user's own."""
RUNNING = "SERINUS_TEST_CLUSTER"
"""Names the folder of one that was started here."""
FILE = "cluster.json"
PIDS = "pids"
HELD = "held"
CHANGE_SECONDS = 30.0
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Cluster:
    """One that runs.

    Args:
        folder: all its files; the paths below lie in it
        pid: of what runs it; its network namespace is the cluster's
        api: the API server
        kubeconfig: of a user who may do everything
        ingress: where HTTPProxies are served, told apart by the Host header
        gateway: where HTTPRoutes of the Gateway `default/gw` are served
        prometheus: scrapes Envoy and annotated pods each second
        envoy_admin: the socket of Envoy's admin interface
        kubectl: the program
    """

    folder: Path
    pid: int
    api: str
    kubeconfig: Path
    ingress: str
    gateway: str
    prometheus: str
    envoy_admin: Path
    kubectl: Path

    def log(self, part: str) -> Path:
        return self.folder / "logs" / f"{part}.log"

    def pid_of(self, part: str) -> int | None:
        """The process that is this part now: etcd, kube-apiserver, contour, envoy, prometheus, node ..."""
        try:
            return int((self.folder / PIDS / part).read_text())
        except (FileNotFoundError, ValueError):
            return None

    @contextmanager
    def without(self, part: str) -> Iterator[None]:
        """Inside, this part does not run: whoever asks it is refused. Afterwards it is started again, not yet ready."""
        held = self.folder / HELD / part
        if self.pid_of(part) is None:
            raise Refused(f"{part} does not run in this cluster: {', '.join(self.parts())} do")
        held.touch()
        try:
            _until(lambda: self.pid_of(part) is None, f"{part} ends")
            yield
        finally:
            held.unlink(missing_ok=True)
            _until(lambda: self.pid_of(part) is not None, f"{part} starts again")

    @contextmanager
    def frozen(self, part: str) -> Iterator[None]:
        """Inside, this part is stopped in its tracks: whoever asks it hears nothing."""
        pid = self.pid_of(part)
        if pid is None:
            raise Refused(f"{part} does not run in this cluster: {', '.join(self.parts())} do")
        os.kill(pid, signal.SIGSTOP)
        try:
            while not _stands_still(pid):
                time.sleep(0.001)
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def parts(self) -> tuple[str, ...]:
        """Those that run now."""
        return tuple(sorted(path.name for path in (self.folder / PIDS).iterdir()))


def _stands_still(pid: int) -> bool:
    """Every thread of it: the kernel stops them one after the other, and the last may answer meanwhile."""
    try:
        stats = [stat.read_text() for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:  # a thread has ended
        return False
    return all(stat.rpartition(")")[2].split()[0] in "TZX" for stat in stats)


def write(cluster: Cluster) -> None:
    """Say that it is ready."""
    file = cluster.folder / FILE
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(cluster), indent=1, default=str))
    temporary.replace(file)


def read(folder: Path) -> Cluster | None:
    """The cluster of that folder; None where none is ready there."""
    try:
        found = json.loads((folder / FILE).read_text())
    except (FileNotFoundError, ValueError):
        return None
    paths = ("folder", "kubeconfig", "envoy_admin", "kubectl")
    return Cluster(**{**found, **{name: Path(found[name]) for name in paths}})


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + CHANGE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise Unavailable(f"waited {CHANGE_SECONDS:.0f} s, and still not: {what}")
        time.sleep(POLL_SECONDS)
