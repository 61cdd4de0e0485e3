"""Prometheus as a child: how it is set up, and whether it has seen Envoy."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from serinus.local.addresses import LOOPBACK
from serinus.local.child import Command
from serinus.local.programs import obtain

READ_SECONDS = 1.0


def write_config(path: Path, envoy_admin: int, scrape_seconds: float) -> None:
    """One job, `envoy`: the admin interface's metrics. JSON, which is YAML."""
    every = f"{round(scrape_seconds * 1000)}ms"
    job = {
        "job_name": "envoy",
        "metrics_path": "/stats/prometheus",
        "static_configs": [{"targets": [f"{LOOPBACK}:{envoy_admin}"]}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {"global": {"scrape_interval": every, "scrape_timeout": every}, "scrape_configs": [job]}
    path.write_text(json.dumps(whole, indent=1))


def command(folder: Path, port: int, log: Path) -> Command:
    words = (
        str(obtain("prometheus")),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=2h",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--log.level=warn",
    )
    return Command("prometheus", words, log)


async def sees_envoy(client: httpx.AsyncClient, url: str) -> bool:
    """It holds a sample of Envoy's own that is up to date."""
    try:
        answer = await client.get(f"{url}/api/v1/query", params={"query": 'up{job="envoy"} == 1'}, timeout=READ_SECONDS)
        return answer.status_code == 200 and bool(answer.json()["data"]["result"])
    except (httpx.HTTPError, ValueError, KeyError):
        return False
