"""The local platform as a user starts it, with traffic and a worker: what CI and the Prefect UI talk to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serinus.local.child import tied
from serinus.local.platform import Platform, read_platform
from serinus.settings import Folders
from tests.flows.serving import PrefectServer

ROOT = Path(__file__).resolve().parents[2]
UP_SECONDS = 150.0
POLICY: dict[str, Any] = {
    "service": "shop",
    "workload": "local",
    "router": "envoy",
    "phases": [{"weight": "20%", "soak": "3s"}, {"weight": "100%", "soak": "2s"}],
    "bake": "2s",
    "gates": {"error_rate": {"max": "2%", "abort_above": "5%"}},
    "checks": {"interval": "1s", "scrape": "1s", "window": "3s", "min_requests": 20, "burst": 1, "warm_up": "1s"},
    "limits": {"no_traffic": "20s", "metrics_down": "15s", "duration": "5m", "rollback": "10s"},
}
"""Two short phases: what is tested is who starts, follows and stops a release, not how long it is watched."""
SLOW = POLICY | {"phases": [{"weight": "20%", "soak": "4m"}, {"weight": "100%", "soak": "2s"}]}
"""Goes on until somebody ends it."""


@dataclass
class Running:
    """One platform with a worker.

    Args:
        environment: of a user who means this platform
    """

    folders: Folders
    environment: dict[str, str]

    @property
    def platform(self) -> Platform:
        found = read_platform(self.folders)
        assert found is not None
        return found

    @property
    def prefect(self) -> PrefectServer:
        """Its server, to be asked; the supervisor starts it."""
        port = int(self.platform.prefect_api.removesuffix("/api").rpartition(":")[2])
        return PrefectServer(self.folders.state / "prefect", port)

    def start(self, version: str, policy: dict[str, Any] | None = POLICY, **more: Any) -> dict[str, Any]:
        """A release as CI creates it; `more`: beside or instead of its parameters, `key`."""
        key = more.pop("key", None)
        deployment = self.prefect.get("/deployments/name/release/release")["id"]
        parameters = {"service": "shop", "version": version, "policy": policy} | more
        body = {"parameters": parameters} | ({"idempotency_key": key} if key else {})
        made: dict[str, Any] = self.prefect.post(f"/deployments/{deployment}/create_flow_run", body)
        return made

    def begin(self, deployment: str, **parameters: Any) -> dict[str, Any]:
        """A run of another deployment, such as `rollback/rollback`."""
        found = self.prefect.get(f"/deployments/name/{deployment}")["id"]
        made: dict[str, Any] = self.prefect.post(f"/deployments/{found}/create_flow_run", {"parameters": parameters})
        return made

    def until(self, run: dict[str, Any], *states: str, seconds: float = 90.0) -> dict[str, Any]:
        """The run once its state has one of these names; none: once it has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = self.prefect.run(run["id"])
            if found["state_name"] in states:
                return found
            if found["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
                assert not states, f"{found['state_name']}: {found['state']['message']}"
                return found
            time.sleep(0.2)
        raise AssertionError(f"still {found['state_name']} after {seconds:g} s")

    def held(self, run: dict[str, Any], task: str, seconds: float = 60.0) -> None:
        """Until this task of the run goes on."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if [each for each in self.prefect.tasks(run["id"]) if each["name"] == task]:
                return
            time.sleep(0.2)
        raise AssertionError(f"no {task} after {seconds:g} s: {[t['name'] for t in self.prefect.tasks(run['id'])]}")

    def serinus(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "serinus.cli", *words],
            env=self.environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def process(words: tuple[str, ...], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Goes on for the block."""
    with log.open("ab") as file:
        started = subprocess.Popen(tied(words), cwd=log.parent, env=environment, stdout=file, stderr=file)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait(10)


def said(log: Path, words: str, by: subprocess.Popen[bytes], seconds: float) -> None:
    """Until the log holds these words."""
    until = time.monotonic() + seconds
    while words not in log.read_text(errors="replace"):
        assert by.poll() is None, log.read_text(errors="replace")[-3000:]
        assert time.monotonic() < until, log.read_text(errors="replace")[-3000:]
        time.sleep(0.1)


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """A platform in this folder, 100 requests a second, and one worker."""
    folders = Folders.at(folder / "state")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "SERINUS_"))}
    binaries = str(Path(sys.executable).parent)
    environment = kept | {"SERINUS_STATE": str(folders.state), "PATH": f"{binaries}:{kept['PATH']}", "NO_COLOR": "1"}
    serinus = (sys.executable, "-m", "serinus.cli", "local")
    up, load, work = folder / "up.log", folder / "load.log", folder / "worker.log"
    with process((*serinus, "up"), environment, up) as platform:
        said(up, "flows deployed", platform, UP_SECONDS)
        here = Running(folders, environment)
        theirs = environment | {
            "PREFECT_API_URL": here.platform.prefect_api,
            "PREFECT_HOME": str(folder / "worker"),
            "PREFECT_WORKER_QUERY_SECONDS": "1",  # ten by default: a test need not wait for it
        }
        script = str(shutil.copy(ROOT / "deployments" / "worker" / "start", folder / "start"))
        with (
            process((*serinus, "load", "shop", "--rate", "100"), environment, load),
            process((script,), theirs, work) as worker,
        ):
            said(work, "Worker", worker, 90.0)
            yield here
