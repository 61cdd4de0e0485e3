"""How does Prometheus see the cluster? Envoy's figures, and those of every pod that asks for it by annotation."""

from __future__ import annotations

import json
from pathlib import Path

from serinus.local.child import Command
from serinus.local.cluster.control_plane import LOOPBACK
from serinus.local.cluster.ingress import STATS
from serinus.local.programs import obtain

PORT = 9090
LONGEST_TIMEOUT_SECONDS = 10.0


def pods(folder: Path) -> Path:
    """The file that names the pods to scrape; every Prometheus of the cluster reads it."""
    return folder / "pods.json"


def prometheus(cluster: Path, *, scrape_seconds: float = 1.0, port: int = PORT, name: str = "prometheus") -> Command:
    """One server; tests at other intervals start more of them, on other ports and by other names.

    Args:
        cluster: its folder
    """
    folder = cluster / name
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "prometheus.json"
    settings.write_text(json.dumps(configuration(pods(cluster), scrape_seconds), indent=1))
    words = (
        str(obtain("prometheus")),
        f"--config.file={settings}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=2h",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--log.level=warn",
    )
    return Command(name, words, cluster / "logs" / f"{name}.log")


def configuration(pods_file: Path, scrape_seconds: float) -> dict[str, object]:
    every = f"{round(scrape_seconds * 1000)}ms"
    timeout = f"{round(min(scrape_seconds, LONGEST_TIMEOUT_SECONDS) * 1000)}ms"
    router = {
        "job_name": "envoy",
        "metrics_path": "/stats/prometheus",
        "static_configs": [{"targets": [f"{LOOPBACK}:{STATS}"]}],
    }
    asked_for = {
        "job_name": "pods",
        "file_sd_configs": [{"files": [str(pods_file)], "refresh_interval": "5s"}],
    }
    whole = {"scrape_interval": every, "scrape_timeout": timeout, "evaluation_interval": "15s"}
    return {"global": whole, "scrape_configs": [router, asked_for]}
