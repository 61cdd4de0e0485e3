"""A Prefect server of a test's own: one process, started, stopped, killed and started again on one port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from serinus.local.addresses import LOOPBACK
from serinus.local.child import tied
from serinus.local.prefect_server import command, place_database

READY_SECONDS = 90.0
UNTRIGGERED = {"PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false"}
"""No test here has an automation, and to look out for them is a tenth of a start."""
PLAIN: dict[str, Any] = {"trust_env": False, "verify": False}
"""For httpx: nothing here is TLS, and each call would read every certificate authority of the world first."""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        return int(taken.getsockname()[1])


@dataclass
class PrefectServer:
    """The server, by its folder and port; asked over plain HTTP.

    Args:
        more: of its environment
    """

    folder: Path
    port: int = field(default_factory=free_port)
    more: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def api(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/api"

    @property
    def ui(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it; returns at once."""
        place_database(self.folder, lambda _: None)
        wanted = command(self.folder, self.port, self.folder / "server.log")
        with wanted.log.open("ab") as log:
            self.process = subprocess.Popen(
                tied(wanted.words),
                env={**(wanted.environment or {}), **UNTRIGGERED, **self.more},
                stdout=log,
                stderr=log,
                start_new_session=True,  # a shell that ends wakes what is stopped in its jobs
            )

    def wait(self) -> None:
        """Until it answers: this process, not another one on its port."""
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
            try:
                if httpx.get(f"{self.api}/health", timeout=2, **PLAIN).json() is True:
                    return
            except (httpx.HTTPError, ValueError):
                time.sleep(0.1)
        raise AssertionError(f"no server after {READY_SECONDS} s: {(self.folder / 'server.log').read_text()[-2000:]}")

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(10)

    def get(self, path: str) -> Any:
        return self._answer(httpx.get(f"{self.api}{path}", timeout=20, **PLAIN))

    def post(self, path: str, body: dict[str, Any] | list[Any] | None = None) -> Any:
        """The answer; SQLite's 503 is asked again, as every client of it must."""
        for _ in range(5):
            answer = httpx.post(f"{self.api}{path}", json=body or {}, timeout=20, **PLAIN)
            if answer.status_code != 503:
                break
        return self._answer(answer)

    def delete(self, path: str) -> None:
        answer = httpx.delete(f"{self.api}{path}", timeout=20, **PLAIN)
        assert answer.is_success, f"{answer.request.url}: {answer.status_code} {answer.text[:500]}"

    def run(self, run: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/flow_runs/{run}")
        return found

    def tasks(self, run: Any) -> list[dict[str, Any]]:
        """The run's task runs, in the order in which they began."""
        found: list[dict[str, Any]] = self.post("/task_runs/filter", {"flow_runs": {"id": {"any_": [str(run)]}}})
        return sorted(found, key=lambda each: each["start_time"] or each["created"])

    def subflows(self, run: Any) -> list[dict[str, Any]]:
        parents = {"flow_runs": {"parent_flow_run_id": {"any_": [str(run)]}}}
        found: list[dict[str, Any]] = self.post("/flow_runs/filter", parents)
        return found

    def artifacts(self, run: Any) -> dict[str, dict[str, Any]]:
        """By key; a key that is there twice fails."""
        found = self.post("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [str(run)]}}})
        assert len({each["key"] for each in found}) == len(found), [each["key"] for each in found]
        return {each["key"]: each for each in found}

    def events(self, release: str) -> list[str]:
        resource = {"id": [f"serinus.release.{release}"]}
        found = self.post("/events/filter", {"filter": {"any_resource": resource, "order": "ASC"}, "limit": 50})
        return [each["event"] for each in found["events"]]

    @staticmethod
    def _answer(answer: httpx.Response) -> Any:
        assert answer.is_success, f"{answer.request.url}: {answer.status_code} {answer.text[:500]}"
        return answer.json()


@contextmanager
def serving(folder: Path, **more: str) -> Iterator[PrefectServer]:
    """A server that answers, until the block ends.

    Args:
        more: of its environment
    """
    server = PrefectServer(folder, more=more)
    server.start()
    try:
        server.wait()
        yield server
    finally:
        server.end()
