"""A Prefect server that dies in mid-release for good: the release goes on, and the command that made it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.deploy import deploy
from serinus.ledgers.file import FileLedger
from serinus.release.record import Record
from tests.flows.platform import POLICY, Running
from tests.flows.serving import PrefectServer, serving

pytestmark = [pytest.mark.real, pytest.mark.timeout(700)]
ENDS_SECONDS = 300.0


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[PrefectServer]:
    """A server of this test's own, to be killed; nobody starts it again."""
    with serving(tmp_path / "prefect") as server:
        asyncio.run(deploy(server.api))
        yield server


def recorded(platform: Running) -> Record | None:
    kept = asyncio.run(FileLedger(platform.folders, "shop").read())
    return kept.record if kept is not None and isinstance(kept.record, Record) else None


def until(platform: Running, weights: int, ended: bool, seconds: float = 120.0) -> Record:
    """The release of this test, once its weight was changed so often, and whether it has ended."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        record = recorded(platform)
        if record is not None and len(record.tally.weights) >= weights and record.ended is ended:
            return record
        time.sleep(0.1)
    raise AssertionError(f"not after {seconds:g} s: {record}")


def test_the_command_ends_soon_after_the_release_and_says_what_is_missing(
    platform: Running, mortal: PrefectServer, tmp_path: Path
) -> None:
    policy = tmp_path / "shop.yaml"
    policy.write_text(json.dumps(POLICY))
    words = (sys.executable, "-m", "serinus.cli", "release", "shop", "v2", "--policy", str(policy), "--json")
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        command = subprocess.Popen(
            (*words, "--api", mortal.api), env=platform.environment, stdout=stdout, stderr=stderr, cwd=tmp_path
        )
    try:
        going = until(platform, 1, ended=False)
        mortal.signal(signal.SIGKILL)
        ended = until(platform, 2, ended=True)
        began = time.monotonic()
        code = command.wait(ENDS_SECONDS)
        took = time.monotonic() - began
    finally:
        command.kill()
        command.wait(10)
    assert ended.release == going.release
    last: dict[str, Any] = json.loads(out.read_text().splitlines()[-1])
    print(f"gone {took:.1f} s after the release's end; said: {err.read_text()[-800:]}")
    assert (code, last["outcome"], last["release"]) == (0, "promoted", ended.release), err.read_text()[-2000:]
    assert err.read_text().count("incomplete") == 1
    platform.serinus("rollback", "shop")
