"""How does Prometheus see the cluster? Envoy's figures, and those of every pod that asks for it by annotation."""

from __future__ import annotations

import json
from pathlib import Path

from serinus.local.child import Command
from serinus.local.programs import obtain
from tests.cluster.control_plane import LOOPBACK
from tests.cluster.credentials import Credentials
from tests.cluster.ingress import STATS

PORT = 9090
ANNOTATION = "__meta_kubernetes_pod_annotation_prometheus_io_"


def prometheus(
    credentials: Credentials, folder: Path, logs: Path, *, scrape_seconds: float = 1.0, port: int = PORT
) -> Command:
    """One server; tests at other intervals start more of them, on other ports and folders."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "prometheus.json"
    settings.write_text(json.dumps(configuration(credentials, scrape_seconds), indent=1))
    words = (
        str(obtain("prometheus")),
        f"--config.file={settings}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=2h",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--log.level=warn",
    )
    return Command(f"prometheus-{port}" if port != PORT else "prometheus", words, logs / f"prometheus-{port}.log")


def configuration(credentials: Credentials, scrape_seconds: float) -> dict[str, object]:
    every = f"{round(scrape_seconds * 1000)}ms"
    timeout = f"{round(min(scrape_seconds, 10.0) * 1000)}ms"
    router = {
        "job_name": "envoy",
        "metrics_path": "/stats/prometheus",
        "static_configs": [{"targets": [f"{LOOPBACK}:{STATS}"]}],
    }
    pods = {
        "job_name": "pods",
        "kubernetes_sd_configs": [{"role": "pod", "kubeconfig_file": str(credentials.kubeconfig("prometheus"))}],
        "relabel_configs": [
            {"source_labels": [f"{ANNOTATION}scrape"], "action": "keep", "regex": "true"},
            {"source_labels": ["__meta_kubernetes_pod_phase"], "action": "keep", "regex": "Running"},
            {
                "source_labels": ["__meta_kubernetes_pod_ip", f"{ANNOTATION}port"],
                "separator": ":",
                "target_label": "__address__",
            },
            {"action": "labelmap", "regex": "__meta_kubernetes_pod_label_(.+)"},
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
            {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
        ],
    }
    whole = {"scrape_interval": every, "scrape_timeout": timeout, "evaluation_interval": "15s"}
    return {"global": whole, "scrape_configs": [router, pods]}
