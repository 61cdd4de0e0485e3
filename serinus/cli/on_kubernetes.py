"""`serinus local up --kubernetes`: what is built before, the supervisor in this process, and what a person is told then.

What it runs is `serinus.local.kubernetes`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from serinus.cli.launch import lasting
from serinus.cli.terminal import Terminal
from serinus.errors import Refused, Unavailable
from serinus.local import kubernetes
from serinus.local.child import Command, tied
from serinus.local.cluster import namespace
from serinus.local.cluster.programs import CONTOUR, KUBERNETES
from serinus.local.cluster.up import fits
from serinus.local.platform import OnKubernetes, Platform, read_platform
from serinus.local.programs import cache
from serinus.settings import Folders
from serinus.within import within

STOP_SECONDS = 20.0
FOREGROUND = "So does Ctrl-C."
AFAR = "`serinus local status` says how to reach it"
UP_SECONDS = 300.0
"""Ready within that, once everything is built."""
BUILDING = (
    "Building Kubernetes (etcd, API server, controllers, scheduler, kubectl) and Contour from their Go sources, once: about"
    " 10 minutes on two cores, 6 GB of disk meanwhile, 360 MB for good, in {folder}. Nothing is installed on the system."
)


async def foreground(out: Terminal, folders: Folders, ports: kubernetes.Ports) -> None:
    """Build what is missing, then the supervisor in this process, until SIGINT or SIGTERM.

    Raises:
        Refused, Unavailable: it cannot run here, or a platform runs in this folder already
    """

    def told(text: str) -> None:
        out.result({"event": "platform", "said": text}, text)

    await prepared(folders, told)

    def guard(known: OnKubernetes, log: Path) -> Command:
        words = (sys.executable, "-m", "serinus.cli", "guard", "--namespace", known.namespace)
        return Command("guard", words, log, environment(folders, known))

    def said(say: Callable[[str], None]) -> Callable[[str], None]:
        """What is said, and once it is ready, what a person can do; a log needs only to know who tells."""

        def one(text: str) -> None:
            say(text)
            if text.startswith("ready: ") and (platform := read_platform(folders)):
                for line in (*lines(platform), FOREGROUND) if out.live else (AFAR,):
                    out.say(line)

        return one

    await lasting(out, folders, lambda say: kubernetes.up(folders, ports, guard, said(say)))


async def prepared(folders: Folders, say: Callable[[str], None]) -> None:
    """Everything that is needed is built.

    Raises:
        Refused, Unavailable: it cannot be built or run here, or a platform runs in this folder already
    """
    if running := read_platform(folders):
        raise Refused(f"a platform already runs in {folders.state} (pid {running.pid}): `serinus local down` ends it")
    if reason := await asyncio.to_thread(namespace.why_not):
        raise Refused(reason)
    fits(kubernetes.home_of(folders))
    if KUBERNETES.home.exists() and CONTOUR.home.exists():
        return
    say(BUILDING.format(folder=cache() / "cluster"))
    process = await asyncio.create_subprocess_exec(
        *tied((sys.executable, "-m", "serinus.local.cluster", "build")),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    last = ""
    try:
        async for line in process.stderr:
            last = line.decode(errors="replace").rstrip()
            say(last)
        await process.wait()
    finally:
        await _interrupted(process)
    if process.returncode:
        raise Unavailable(f"the cluster's programs could not be built: {last.removeprefix('cluster: ')}")


async def _interrupted(process: asyncio.subprocess.Process) -> None:
    """An end that lets it take its gigabytes of temporary files away."""
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
        try:
            async with within(STOP_SECONDS):
                await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()


def environment(folders: Folders, known: OnKubernetes) -> dict[str, str]:
    """Of a command that means this cluster and this folder."""
    return {**os.environ, "KUBECONFIG": known.kubeconfig, "SERINUS_STATE": str(folders.state)}


def lines(platform: Platform) -> list[str]:
    """What a person can do with it."""
    known = platform.kubernetes
    assert known is not None
    (service, url), *_ = platform.traffic.items()
    rows = [(f"traffic of {service}", f"{url}  for Host {known.host}")]
    rows += [("Prefect", platform.prefect_ui), ("Prometheus", platform.prometheus)]
    rows += [("Envoy's admin", platform.envoy_admin), ("kubectl", known.kubectl)]
    rows += [
        ("logs", f"{platform.logs}, of the cluster's parts {known.cluster}/logs"),
        ("supervisor", f"pid {platform.pid}"),
    ]
    port = url.rpartition(":")[2]
    return [
        *(f"{name:<18} {value}" for name, value in rows),
        "",
        f"  export KUBECONFIG={known.kubeconfig}",
        f"  {platform.exported}",
        f"  kubectl -n {known.namespace} get deployments,pods,httpproxies",
        f"  curl http://{known.host}:{port}/    # or: curl -H 'Host: {known.host}' {url}/",
        f"  serinus local load {service} --rate 50",
        f"  serinus release {service} v1.1 --policy {known.policy}    # a bad one: v2-errors",
        f"  serinus status {service}",
        "",
        "`serinus local down` ends all of it; what was in the cluster is gone then.",
    ]
