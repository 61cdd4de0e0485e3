"""Which pods does Prometheus scrape? Those that ask for it by annotation and run, as a file that it watches.

Debian's Prometheus has no discovery of Kubernetes built in; the labels are those that the usual configuration gives.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx

from serinus.local.cluster.objects import connect

PODS = "/api/v1/pods"
WATCH_SECONDS = 240
RETRY_SECONDS = 0.2
SCRAPE, PORT = "prometheus.io/scrape", "prometheus.io/port"

Pod = Mapping[str, Any]


async def discover(kubeconfig: Path, file: Path) -> None:
    """Keep the file true until cancelled; while the API server is away it stays as it was."""
    while True:
        try:
            async with connect(kubeconfig) as api:
                await _follow(api, file)
        except (httpx.HTTPError, OSError, ValueError, KeyError):
            await asyncio.sleep(RETRY_SECONDS)


async def _follow(api: httpx.AsyncClient, file: Path) -> None:
    listed = (await api.get(PODS)).raise_for_status().json()
    pods = {pod["metadata"]["uid"]: pod for pod in listed["items"]}
    write(file, pods.values())
    async for event in _events(api, listed["metadata"]["resourceVersion"]):
        pod = event["object"]
        if event["type"] == "ERROR":
            return
        if event["type"] == "DELETED":
            pods.pop(pod["metadata"]["uid"], None)
        else:
            pods[pod["metadata"]["uid"]] = pod
        write(file, pods.values())


async def _events(api: httpx.AsyncClient, version: str) -> AsyncIterator[dict[str, Any]]:
    asked = {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(WATCH_SECONDS)}
    async with api.stream("GET", PODS, params=asked, timeout=httpx.Timeout(10.0, read=WATCH_SECONDS + 10)) as answer:
        async for line in answer.raise_for_status().aiter_lines():
            yield json.loads(line)


def write(file: Path, pods: Iterable[Pod]) -> None:
    """The targets, where they are others than before."""
    text = json.dumps([target(pod) for pod in pods if is_asked_for(pod)], indent=1, sort_keys=True)
    if file.exists() and file.read_text() == text:
        return
    temporary = file.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(file)


def is_asked_for(pod: Pod) -> bool:
    annotations = pod["metadata"].get("annotations") or {}
    status = pod.get("status", {})
    return bool(annotations.get(SCRAPE) == "true" and status.get("phase") == "Running" and status.get("podIP"))


def target(pod: Pod) -> dict[str, Any]:
    metadata = pod["metadata"]
    port = metadata["annotations"].get(PORT) or _first_port(pod)
    labels = {re.sub(r"\W", "_", name): value for name, value in (metadata.get("labels") or {}).items()}
    return {
        "targets": [f"{pod['status']['podIP']}:{port}"],
        "labels": {**labels, "namespace": metadata["namespace"], "pod": metadata["name"]},
    }


def _first_port(pod: Pod) -> int:
    ports = [port["containerPort"] for one in pod["spec"]["containers"] for port in one.get("ports", [])]
    return int(ports[0]) if ports else 80
