"""Which pods are scraped, at which address, with which labels?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from serinus.local.cluster import discovery


def pod(
    name: str = "shop-1", phase: str = "Running", address: str = "10.244.0.7", **annotations: str
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "test",
            "labels": {"app.kubernetes.io/name": "shop"},
            "annotations": {f"prometheus.io/{key}": value for key, value in annotations.items()},
        },
        "spec": {"containers": [{"name": "proxy"}, {"name": "shop", "ports": [{"containerPort": 8080}]}]},
        "status": {"phase": phase, "podIP": address},
    }


def test_a_pod_that_asks_is_scraped_at_the_port_that_it_names() -> None:
    assert discovery.target(pod(scrape="true", port="9102")) == {
        "targets": ["10.244.0.7:9102"],
        "labels": {"app_kubernetes_io_name": "shop", "namespace": "test", "pod": "shop-1"},
    }


def test_a_port_that_is_not_named_is_the_first_of_the_containers() -> None:
    assert discovery.target(pod(scrape="true"))["targets"] == ["10.244.0.7:8080"]


def test_pods_that_do_not_ask_or_do_not_run_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "pods.json"
    others = [pod(), pod(scrape="false"), pod(scrape="true", phase="Pending"), pod(scrape="true", address="")]
    discovery.write(file, [*others, pod("asks", scrape="true")])
    assert [one["labels"]["pod"] for one in json.loads(file.read_text())] == ["asks"]


def test_what_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "pods.json"
    discovery.write(file, [pod(scrape="true")])
    before = file.stat().st_ino
    discovery.write(file, [pod(scrape="true")])
    assert file.stat().st_ino == before
    discovery.write(file, [])
    assert json.loads(file.read_text()) == []
