"""Who may enter a network namespace, and what is there?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from serinus.local.cluster import namespace
from serinus.local.cluster.toolchain import ROOT

LOOK = """
import socket
from serinus.local.cluster import namespace
namespace.enter()
for address in ("10.244.7.9", "127.0.0.1"):
    with socket.create_server((address, 80)) as server, socket.create_connection((address, 80), timeout=5):
        server.accept()
try:
    socket.create_connection(("192.0.2.1", 80), timeout=5)
except OSError as problem:
    print("nothing leaves:", problem.strerror)
"""


def run(*words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    told = {**os.environ, **(environment or {})}
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env=told)


def test_every_pod_address_is_local_and_nothing_leaves() -> None:
    if reason := namespace.why_not():
        pytest.skip(reason)
    done = run(*namespace.privileged([sys.executable, "-c", LOOK]))
    assert done.stdout == "nothing leaves: Network is unreachable\n", done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay its rights down like this")
def test_somebody_without_rights_is_told_what_to_do() -> None:
    without = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    code = "from serinus.local.cluster import namespace; print(namespace.mighty()); namespace.enter()"
    done = run(*without, "--", sys.executable, "-c", code)
    assert done.stdout == "False\n"
    assert "python -m serinus.local.cluster run" in done.stderr


@pytest.mark.parametrize(("lacks", "package"), [("ip", "iproute2"), ("unshare", "util-linux")])
def test_a_missing_program_is_named_with_its_package(
    lacks: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in {"ip", "unshare", "setpriv"} - {lacks}:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = namespace.why_not()
    assert reason is not None
    assert reason.startswith(f"{lacks} is not on PATH: install {package}")


def test_a_machine_that_forbids_them_says_so_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ip", "setpriv"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "unshare").write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = namespace.why_not()
    assert reason is not None
    assert "Operation not permitted" in reason
    assert "\n" not in reason
