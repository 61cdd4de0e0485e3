"""The demo as it is typed: what it plays, what it counts, what it leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from serinus.cli.scenario import HEALTHY, SCENARIOS, version_for
from serinus.local.catalogue import CATALOGUE
from serinus.local.child import registered
from serinus.local.platform import read_platform
from serinus.settings import Folders
from tests.cluster.fixtures import new_folder

DEMO = (sys.executable, "-m", "serinus.cli", "demo")


def wait(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))
@pytest.mark.parametrize("stable", [version for family in HEALTHY for version in family])
def test_every_scenario_releases_a_version_that_exists_and_is_not_stable(scenario: object, stable: str) -> None:
    version = version_for(scenario, stable)  # type: ignore[arg-type]
    assert version in CATALOGUE
    assert version != stable


@pytest.mark.real
@pytest.mark.timeout(240)
def test_a_bad_version_and_a_killed_engine(tmp_path: Path) -> None:
    words = (*DEMO, "errors", "engine-killed", "--state", str(tmp_path), "--json")
    played = subprocess.run(words, capture_output=True, text=True, timeout=230, check=False)
    assert played.returncode == 0, played.stderr + played.stdout[-2000:]
    told = json.loads(played.stdout.splitlines()[-1])
    assert told == json.loads((tmp_path / "summary.json").read_text())
    errors, killed = told["errors"], told["engine-killed"]
    assert (errors["outcome"], killed["outcome"]) == ("rolled back", "rolled back")
    assert errors["failed_user_requests"]["canary"] <= errors["user_requests"]["canary"]
    assert 0 < errors["failed_user_requests"]["canary"] < 60
    assert killed["seconds_to_stable"] < 50
    for summary in told.values():
        assert Path(summary["evidence"]).is_file()
        assert summary["weights"][-1][1] == 0
    folders = Folders.at(tmp_path)
    assert read_platform(folders) is None
    assert not any(child.alive for child in registered(tmp_path / "processes.json"))


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_a_bad_version_on_kubernetes() -> None:
    state = new_folder()  # pytest's own has a path that is too long for sockets
    words = (*DEMO, "--kubernetes", "errors", "--state", str(state), "--json")
    played = subprocess.run(words, capture_output=True, text=True, timeout=290, check=False)
    assert played.returncode == 0, played.stderr + played.stdout[-2000:]
    told = json.loads((state / "summary.json").read_text())["errors"]
    assert told["outcome"] == "rolled back"
    # The release itself counts to its last scrape; those that were under way then are Envoy's alone.
    assert 0 <= told["user_requests"]["canary"] - told["requests"]["canary"] < 20
    assert 0 <= told["failed_user_requests"]["canary"] - told["requests"]["failed_on_canary"] < 20
    assert 0 < told["failed_user_requests"]["canary"] < 40
    assert told["failed_user_requests"]["stable"] == 0
    assert Path(told["evidence"]).is_file()
    assert read_platform(Folders.at(state)) is None
    assert not any(child.alive for child in registered(state / "processes.json"))
    shutil.rmtree(state)


def test_a_scenario_that_breaks_things_by_hand_is_refused_on_kubernetes() -> None:
    words = (*DEMO, "--kubernetes", "incident")
    played = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (played.returncode, "the plain platform alone can" in played.stderr) == (2, True), played.stderr


@pytest.mark.real
def test_nothing_outlives_a_killed_demo(tmp_path: Path) -> None:
    folders = Folders.at(tmp_path)
    demo = subprocess.Popen(
        (*DEMO, "good", "--state", str(tmp_path)), stdout=subprocess.DEVNULL, start_new_session=True
    )
    wait(lambda: (platform := read_platform(folders)) and platform.ready, "the platform is ready", 100)
    platform, children = read_platform(folders), registered(tmp_path / "processes.json")
    assert platform is not None
    assert any(child.alive for child in children)
    os.kill(demo.pid, signal.SIGKILL)
    demo.wait(timeout=10)
    wait(lambda: not platform.supervisor.alive, "the supervisor ends")
    wait(lambda: not any(child.alive for child in children), "its children end")


@pytest.mark.real
def test_ctrl_c_ends_the_demo_and_everything_it_started(tmp_path: Path) -> None:
    folders = Folders.at(tmp_path)
    # Whoever runs the tests in the background of a shell has SIGINT ignored, and so has every child.
    words = ("env", "--default-signal=INT", *DEMO, "good", "--state", str(tmp_path))
    demo = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    wait(lambda: (platform := read_platform(folders)) and platform.ready, "the platform is ready", 100)
    children = registered(tmp_path / "processes.json")
    os.kill(demo.pid, signal.SIGINT)
    told, _ = demo.communicate(timeout=90)
    assert demo.returncode == 5
    assert "Traceback" not in told
    assert read_platform(folders) is None
    assert not any(child.alive for child in children)
