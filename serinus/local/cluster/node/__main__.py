"""A Kubernetes node whose pods are processes of this machine: the kubelet's part, for a control plane without containers.

    python -m serinus.local.cluster.node --kubeconfig admin.yaml --folder /tmp/node --name rig

It takes up the pods that the scheduler binds to it, gives each an address of its own and reports what a kubelet would.
There is no isolation whatever: a pod sees this machine's files, and its limit of memory is looked at, not enforced by the
kernel. Names and addresses of Services lead nowhere; there are no volumes but configMap, secret, emptyDir, downwardAPI and
projected ones, and no `exec`, `port-forward` or `postStart`. An image changed in a living pod is not taken up.

In its folder a test can break things while they run:

    faults/<namespace>.json    what `serinus.local.fault.write_fault` writes, by the name of a Deployment (or `all`)
    images.json                what `images.retag` writes: the version that a tag means now
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

import httpx

from serinus.local.child import Register, end, registered
from serinus.local.cluster.node.api import connect
from serinus.local.cluster.node.events import Events
from serinus.local.cluster.node.node import Node, Size, addresses
from serinus.local.cluster.node.site import Backoff, Site
from serinus.local.cluster.node.sources import Reader
from serinus.voice import speak


async def run(given: argparse.Namespace) -> None:
    """Until SIGTERM or SIGINT."""
    folder: Path = given.folder
    (folder / "faults").mkdir(parents=True, exist_ok=True)
    register = folder / "processes.json"
    await end(tuple(one for one in registered(register) if one.alive))
    api = await connect(str(given.kubeconfig))
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=None) as client, api.connection:
        site = Site(
            *(given.name, given.address, folder, api, client, Register(register)),
            *(Backoff(given.backoff, given.longest_backoff), Reader(api), Events(api, given.name), say),
        )
        node = Node(site, Size(given.cpu, given.memory, given.max_pods), given.port, addresses(given.pods))
        running = asyncio.ensure_future(node.run())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        with suppress(asyncio.CancelledError):
            await running


def say(text: str) -> None:
    speak(text, sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m serinus.local.cluster.node", description="A node whose pods are processes."
    )
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="its logs, volumes, faults and images.json")
    parser.add_argument("--name", default="rig")
    parser.add_argument("--address", default="10.244.255.1", help="the node's own")
    parser.add_argument("--port", type=int, default=10250, help="of the node's API, which serves the logs")
    parser.add_argument("--pods", default="10.244.0.0/17", help="the network of its pods' addresses")
    parser.add_argument("--cpu", default="32")
    parser.add_argument("--memory", default="64Gi")
    parser.add_argument("--max-pods", type=int, default=300)
    parser.add_argument("--backoff", type=float, default=10.0, help="seconds of the first back-off; a kubelet's: 10")
    parser.add_argument("--longest-backoff", type=float, default=300.0)
    asyncio.run(run(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
