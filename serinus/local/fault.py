"""What is broken on purpose, while it runs? The file between `serinus local fault` and the demo service."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

ALL = "all"
ARMS = ("stable", "canary", ALL)


@dataclass(frozen=True, slots=True)
class Fault:
    """Added to what the version does by itself.

    Args:
        error_rate: part of the requests answered with 500
        latency_seconds: added to every request
        dead: refuses every connection
    """

    error_rate: float = 0.0
    latency_seconds: float = 0.0
    dead: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.error_rate <= 1:
            raise ValueError(f"an error rate is a part from 0 to 1, not {self.error_rate:g}")
        if not 0 <= self.latency_seconds <= 60:
            raise ValueError(f"a fault's latency is 0 to 60 s, not {self.latency_seconds:g} s")


NONE = Fault()


def faults_file(service_folder: Path) -> Path:
    return service_folder / "faults.json"


def read_faults(path: Path) -> dict[str, Fault]:
    """By arm; empty where there is no file.

    Raises:
        ValueError: not such a file
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    try:
        return {arm: Fault(**fault) for arm, fault in json.loads(text).items()}
    except (TypeError, AttributeError) as cause:
        raise ValueError(f"{path}: {cause}") from cause


def fault_of(path: Path, arm: str) -> Fault:
    """What this arm suffers: its own fault, else everybody's, else none."""
    faults = read_faults(path)
    return faults.get(arm) or faults.get(ALL) or NONE


def write_fault(path: Path, arm: str, fault: Fault) -> None:
    """Set one arm's fault (`all`: every arm's, the others' own are forgotten); `NONE` ends it."""
    faults = {} if arm == ALL else read_faults(path)
    changed = {name: kept for name, kept in (faults | {arm: fault}).items() if kept != NONE or name != ALL}
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps({name: asdict(kept) for name, kept in changed.items()}))
    temporary.replace(path)
