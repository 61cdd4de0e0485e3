"""A Kubernetes for people as they meet it: reached from outside of its network namespace, twice, down, killed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from serinus.cli.launch import launched, stopped
from serinus.errors import Refused
from serinus.local.child import tied
from serinus.local.cluster import shop
from serinus.local.kubernetes import home_of
from serinus.local.platform import Platform, read_platform
from serinus.policy.load import read, to_plan
from serinus.settings import Folders
from serinus.stores.process import Identity, identity_of
from tests.cluster.fixtures import new_folder
from tests.cluster.test_up import children_of
from tests.local.running import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Here:
    """One that runs, and a prompt of its user."""

    folders: Folders
    platform: Platform
    process: asyncio.subprocess.Process

    @property
    def environment(self) -> dict[str, str]:
        assert self.platform.kubernetes is not None
        told = {"SERINUS_STATE": str(self.folders.state), "KUBECONFIG": self.platform.kubernetes.kubeconfig}
        return os.environ | told

    async def serinus(self, *words: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "serinus.cli", *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self.environment,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        assert b"Traceback" not in out, out.decode()
        return process.returncode or 0, out.decode()

    def kubectl(self, *words: str) -> Any:
        assert self.platform.kubernetes is not None
        command = (self.platform.kubernetes.kubectl, *words, "-o=json")
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30, check=True)
        return json.loads(done.stdout)

    def family(self) -> set[Identity]:
        """Everything that runs."""
        return {found for pid in children_of(self.process.pid) if (found := identity_of(pid)) is not None}


@pytest.fixture
def short() -> Iterator[Folders]:
    """pytest's own folders have paths that are too long for sockets."""
    folder = new_folder()
    yield Folders.at(folder)
    shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def here(folders: Folders) -> AsyncIterator[Here]:
    platform, process = await launched(folders, ["--kubernetes"], tied, lambda line: None)
    try:
        yield Here(folders, platform, process)
    finally:
        await stopped(process)


async def gone(family: set[Identity]) -> None:
    await until(lambda: not any(one.alive for one in family), "every process of it is gone")


async def test_a_newcomer_reaches_all_of_it_from_outside_and_down_leaves_nothing(short: Folders) -> None:
    async with here(short) as one, httpx.AsyncClient(trust_env=False, timeout=10) as http:
        platform, known = one.platform, one.platform.kubernetes
        assert known is not None
        assert one.kubectl("-n", known.namespace, "get", "deployment", "shop")["status"]["readyReplicas"] == 2
        answer = await http.get(platform.traffic["shop"], headers={"Host": f"{known.host}:1234"})
        assert (answer.status_code, answer.headers["x-version"]) == (200, shop.STABLE)
        assert (await http.get(platform.traffic["shop"])).status_code == 404
        asked = {"query": 'up{job="envoy"}'}
        seen = (await http.get(f"{platform.prometheus}/api/v1/query", params=asked)).json()["data"]["result"]
        assert [row["value"][1] for row in seen] == ["1"]
        assert f"{known.namespace}_shop_80" in (await http.get(f"{platform.envoy_admin}/clusters")).text
        assert (await http.get(f"{platform.prefect_api}/health")).json() is True
        target = to_plan(read(Path(known.policy)), "v1.1").target
        assert target.telemetry_options["url"] == platform.prometheus
        code, said = await one.serinus("local", "load", "shop", "--rate", "20", "--for", "1s")
        assert (code, ", 0 failed" in said) == (0, True), said
        own = ("local", "load", "till", "--rate", "20", "--for", "1s", "--host")
        assert ", 0 failed" in (await one.serinus(*own, known.host))[1]  # whatever it is called: the host says which
        code, said = await one.serinus(*own, "nobody.example")
        assert (code, " answered 404" in said, "nobody.example at http://" in said) == (0, True, True), said
        code, said = await one.serinus("local", "load", "till")
        assert (code, "of till say the host: --host NAME" in said) == (2, True), said
        code, said = await one.serinus("local", "status")
        assert (code, f"export KUBECONFIG={known.kubeconfig}" in said) == (0, True), said
        assert f"export PREFECT_API_URL={platform.prefect_api} " in said
        code, said = await one.serinus("status", "shop")
        assert (code, f"namespace {known.namespace} has no record of a release of shop" in said) == (2, True), said
        for words, why in (
            (("local", "up", "--kubernetes"), "a platform already runs in"),
            (("local", "up"), "a platform already runs in"),
            (("local", "fault", "shop", "--error-rate", "30%"), "release a version that is bad by itself"),
            (("local", "up", "--kubernetes", "--service", "till"), "are for the plain platform"),
            (("release", "shop", "v1.1"), f"add --policy {known.policy}"),
        ):
            code, said = await one.serinus(*words)
            assert (code != 0, why in said) == (True, True), said
        family = one.family()
        assert len(family) > 10
        code, said = await one.serinus("local", "down")
        assert (code, "is stopped" in said) == (0, True), said
        assert await asyncio.wait_for(one.process.wait(), 20) == 0
    assert not any(child.alive for child in family)
    assert read_platform(short) is None


@asynccontextmanager
async def coming_up(folders: Folders) -> AsyncIterator[asyncio.subprocess.Process]:
    """One whose API server answers already; everything else is on its way."""
    process = await asyncio.create_subprocess_exec(
        *tied((sys.executable, "-m", "serinus.cli", "local", "up", "--kubernetes")),
        env=os.environ | {"SERINUS_STATE": str(folders.state)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(100):
            while b"kube-apiserver answers" not in (line := await process.stdout.readline()):
                assert line, "it ended"
        yield process
    finally:
        await stopped(process)


async def test_however_it_ends_nothing_is_left_and_the_next_one_begins(short: Folders) -> None:
    for number, whom, code in (
        (signal.SIGINT, "supervisor", 0),
        (signal.SIGKILL, "cluster", 1),
        (signal.SIGKILL, "supervisor", -signal.SIGKILL),
    ):
        async with coming_up(short) as process:
            family = {found for pid in children_of(process.pid) if (found := identity_of(pid)) is not None}
            api_server = int((home_of(short) / "pids" / "kube-apiserver").read_text())
            os.kill(process.pid if whom == "supervisor" else parent(api_server), number)
            said, _ = await asyncio.wait_for(process.communicate(), 40)
            assert (process.returncode, b"Traceback" in said) == (code, False), said.decode()
            assert (b"the cluster was killed by signal 9" in said) == (whom == "cluster"), said.decode()
            await gone(family)
            assert read_platform(short) is None


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


async def test_a_folder_with_too_long_a_name_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    from serinus.cli.on_kubernetes import prepared

    with pytest.raises(Refused, match="is too long a path for a socket in it"):
        await prepared(Folders.at(tmp_path / ("long" * 25)), print)
