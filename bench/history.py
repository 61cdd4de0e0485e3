"""What a Prefect server lacks of a release that it was away from: asked over HTTP, held against the release's evidence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from serinus.release.evidence import parse
from serinus.release.weight import Weight

TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class History:
    """Of one release that was promoted.

    Args:
        missing: what the server should hold and does not
        gaps: what the evidence names as missing
    """

    missing: tuple[str, ...]
    gaps: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Complete, or the gap is named."""
        return bool(not self.missing or self.gaps)


def expected(summary: dict[str, Any]) -> set[str]:
    """The names of the tasks that each phase leaves behind."""
    weights = [Weight.of(percent) for _, percent in summary["weights"] if percent]
    return {f"{verb} {weight}" for weight in weights for verb in ("shift", "hold", "gate")}


def history(api: str, summary: dict[str, Any]) -> History:
    """Of a promoted release.

    Args:
        api: the server's
        summary: the release's; its `run` ends with the run's id
    """
    run = summary["run"].rstrip("/").rpartition("/")[2]
    with httpx.Client(base_url=api, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        found = client.get(f"/flow_runs/{run}").raise_for_status().json()
        of_run = {"flow_runs": {"id": {"any_": [run]}}}
        tasks = client.post("/task_runs/filter", json=of_run).raise_for_status().json()
        children = {"flow_runs": {"parent_flow_run_id": {"any_": [run]}}}
        subflows = client.post("/flow_runs/filter", json=children).raise_for_status().json()
        of_run = {"artifacts": {"flow_run_id": {"any_": [run]}}}
        kept = {each["key"] for each in client.post("/artifacts/filter", json=of_run).raise_for_status().json()}
    done = {task["name"] for task in tasks if task["state_type"] == "COMPLETED"}
    missing = [f"task {name}" for name in sorted(expected(summary) - done)]
    if found["state_name"] != "Promoted":
        missing.append(f"the end: it says {found['state_name']}")
    if not any(child["state_type"] == "COMPLETED" for child in subflows):
        missing.append("the promotion")
    if f"{summary['service']}-report" not in kept:
        missing.append("the report")
    lines = [parse(text) for text in Path(summary["evidence"]).read_text().splitlines()]
    gaps = [str(line.data.get("what", line.data.get("why", ""))) for line in lines if line.kind == "gap"]
    return History(tuple(missing), tuple(gaps))
