"""How is the process node started, and is it ready? What it does is `node`'s."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx

from serinus.local.child import Command
from serinus.local.cluster.credentials import Credentials


def command(credentials: Credentials, folder: Path, logs: Path) -> Command:
    home = folder / "node"
    home.mkdir(exist_ok=True)
    words = (
        sys.executable,
        "-m",
        "serinus.local.cluster.node",
        f"--kubeconfig={credentials.kubeconfig('node')}",
        f"--folder={home}",
    )
    return Command("node", words, logs / "node.log")


async def ready(api: httpx.AsyncClient) -> bool:
    """A pod would be scheduled: some node is Ready and bears no taint."""
    nodes = (await api.get("/api/v1/nodes")).json()["items"]
    return any(_is_ready(node) and not node["spec"].get("taints") for node in nodes)


def _is_ready(node: dict[str, dict[str, list[dict[str, str]]]]) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"].get("conditions", []))
