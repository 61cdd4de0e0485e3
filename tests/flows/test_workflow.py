"""The steps of `.github/workflows/release.yml`, taken out of it and run as its runner would, against a real platform."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.flows.platform import POLICY, ROOT, Running
from tests.flows.serving import PrefectServer

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"


def workflow() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(WORKFLOW.read_text(encoding="utf-8"))
    return found


def step(name: str) -> str:
    [found] = [step["run"] for step in workflow()["jobs"]["release"]["steps"] if step.get("name") == name]
    return str(found)


class Job:
    """One job of the workflow in a folder of its own."""

    def __init__(self, folder: Path, api: str, **inputs: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        inherited = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        given = {"API": api, "AUTH": "", "SERVICE": "shop", "VERSION": "v2", "POLICY": "", "IF_BUSY": "refuse"}
        self.environment = inherited | given | {"KEY": "org/shop/1", "EVERY": "0.5"} | inputs
        self.environment["GITHUB_STEP_SUMMARY"] = str(folder / "summary.md")

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step(name)]
        return subprocess.run(
            words, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=150, check=False
        )

    def started(self) -> str:
        done = self.run("Start")
        assert done.returncode == 0, done.stdout + done.stderr
        return str(json.loads((self.folder / "run.json").read_text())["id"])

    @property
    def summary(self) -> str:
        return (self.folder / "summary.md").read_text()


def test_every_input_and_secret_reaches_the_steps_by_the_environment_alone() -> None:
    """An expression inside a script would let an input run as code."""
    found = workflow()
    inputs = set(found["on"]["workflow_dispatch"]["inputs"])
    environment = " ".join(found["jobs"]["release"]["env"].values())
    assert all(f"inputs.{name}" in environment for name in inputs)
    for each in ("Start", "Follow"):
        assert "${{" not in step(each)
        assert "set -euo pipefail" in step(each)


@pytest.mark.real
@pytest.mark.timeout(400)
class TestOnThePlatform:
    def test_it_starts_once_follows_and_ends_well(self, platform: Running, tmp_path: Path) -> None:
        (tmp_path / "job").mkdir()
        policy = tmp_path / "job" / "policy.yaml"
        policy.write_text(json.dumps(POLICY | {"on": {"inconclusive": "advance"}}), encoding="utf-8")
        job = Job(tmp_path / "job", platform.platform.prefect_api, POLICY="policy.yaml")
        first, again = job.started(), job.started()
        assert first == again
        followed = job.run("Follow")
        assert followed.returncode == 0, followed.stdout + followed.stderr
        assert "Promoted: v2 serves everything" in followed.stdout
        assert job.summary.startswith("# shop v2: promoted")
        assert platform.until(platform.begin("rollback/rollback", service="shop"))["state_name"] == "RolledBack"

    def test_it_fails_with_the_release(self, platform: Running, tmp_path: Path) -> None:
        job = Job(tmp_path / "job", platform.platform.prefect_api, VERSION="v9", KEY="org/shop/2")
        job.started()
        followed = job.run("Follow")
        assert followed.returncode == 1
        assert "::error::shop v9: Refused" in followed.stdout
        assert "Nothing was touched" in job.summary


@pytest.mark.real
class TestAgainstAServer:
    def test_another_version_under_the_same_key_is_another_release(
        self, prefect_server: PrefectServer, tmp_path: Path
    ) -> None:
        one = Job(tmp_path / "one", prefect_server.api).started()
        two = Job(tmp_path / "two", prefect_server.api, VERSION="v3").started()
        assert one != two

    def test_a_server_that_does_not_answer_is_a_sentence(self, tmp_path: Path) -> None:
        done = Job(tmp_path / "job", "http://127.0.0.1:9/api").run("Start")
        assert (done.returncode, "does not answer" in done.stderr) == (1, True)

    def test_a_server_without_the_deployment_is_a_sentence(self, bare: PrefectServer, tmp_path: Path) -> None:
        job = Job(tmp_path / "job", bare.api, AUTH="user:password")
        done = job.run("Start")
        assert (done.returncode, "404" in done.stderr) == (1, True)

    def test_a_server_that_asks_who_is_there(self, bare: PrefectServer, tmp_path: Path) -> None:
        """401 is never asked again: a wrong password does not get better."""
        for auth in ("", "user:wrong"):
            done = Job(tmp_path / f"job{auth}", bare.api, AUTH=auth).run("Start")
            assert (done.returncode, "PREFECT_API_AUTH_STRING" in done.stderr) == (1, True)
