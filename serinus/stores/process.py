"""Who is this process, and is that one provably gone? By boot id, pid and start time, as Linux keeps them.

A name proves nothing on another machine: there only silence does.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Of this boot of this machine."""
    return BOOT_ID.read_text().strip()


def start_time(pid: int) -> str | None:
    """The process' start in clock ticks since boot; None where there is no such process, or only its corpse."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rsplit(")", 1)[1].split()  # the name before it may hold spaces and brackets
    return None if fields[0] in "ZX" else fields[19]


def owner() -> str:
    """A new owner's name: random, and telling which process it is."""
    pid = os.getpid()
    return f"{secrets.token_hex(4)}@{boot_id()}/{pid}/{start_time(pid)}"


def gone(name: str) -> bool:
    """The process of this owner's name cannot be running any more; False where that cannot be proven."""
    try:
        _, rest = name.split("@", 1)
        boot, pid, started = rest.split("/")
        number = int(pid)
    except ValueError:
        return False
    if boot != boot_id():
        return True
    return start_time(number) != started
