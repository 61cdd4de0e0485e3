"""What the local supervisor says of a service's processes: the file that stands for a kubelet's pod status.

It only carries words; who starts processes is `serinus.local`, who judges them is `serinus.workloads.local`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from serinus.stores.process import Identity

STABLE = "stable"
CANARY = "canary"
ARMS = (STABLE, CANARY)


@dataclass(frozen=True, slots=True)
class PodStatus:
    """One process.

    Args:
        arm: `stable` or `canary`
        template: what it was started from, canonical JSON
        ready: its last readiness checks passed
        serving: ready, and Envoy has it among the arm's endpoints
        leaving: it is being taken away
        trouble: `CrashLoopBackOff`, `ErrImagePull`, `OOMKilled`, `Error`; empty where all is well
        log: its last lines, where there is trouble
        restarts: how often it was started again
        pid: None while it does not run
    """

    name: str
    arm: str
    version: str
    template: str
    ready: bool
    serving: bool
    leaving: bool
    trouble: str = ""
    log: str = ""
    restarts: int = 0
    pid: int | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Pods:
    """All of one service's processes at one moment.

    Args:
        at: the machine's monotonic clock, seconds; comparable between the processes of one boot
        supervisor: who says it
        versions: what this machine could run
        observed: the revision of each arm's store that `pods` was compared with last
    """

    at: float
    supervisor: Identity
    versions: tuple[str, ...]
    observed: Mapping[str, str] = field(default_factory=dict)
    pods: tuple[PodStatus, ...] = ()


@cache
def _adapter() -> TypeAdapter[Pods]:
    return TypeAdapter(Pods)


def canonical(template: Mapping[str, Any]) -> str:
    """A template as text; equal texts run the same code and config."""
    return json.dumps(template, sort_keys=True, separators=(",", ":"))


def write_pods(service_folder: Path, pods: Pods) -> None:
    """Replace `pods.json` atomically. Not durable: it is of no use after a crash."""
    temporary = service_folder / f".pods.{os.getpid()}.tmp"
    temporary.write_bytes(_adapter().dump_json(pods, indent=1))
    temporary.replace(service_folder / "pods.json")


def read_pods(service_folder: Path) -> Pods | None:
    """None where nobody has written `pods.json`.

    Raises:
        ValueError: it is something else
    """
    try:
        return _adapter().validate_json((service_folder / "pods.json").read_bytes())
    except FileNotFoundError:
        return None
