"""Who is this process, and is that one provably gone? By boot id, pid and start time, as Linux keeps them.

A name proves nothing on another machine: there only silence does.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, told apart from any later one with its pid.

    Args:
        start_time: in clock ticks since boot
        boot_id: of the machine's boot; empty where it is not known
    """

    pid: int
    start_time: int
    boot_id: str

    @property
    def alive(self) -> bool:
        """It runs on this machine now."""
        return identity_of(self.pid) == self


def boot_id() -> str:
    """Of this boot of this machine."""
    return BOOT_ID.read_text().strip()


def identity_of(pid: int) -> Identity | None:
    """The process that has this pid now; None where there is none, or only its corpse."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rsplit(")", 1)[1].split()  # the name before it may hold spaces and brackets
    return None if fields[0] in "ZX" else Identity(pid, int(fields[19]), boot_id())


def owner() -> str:
    """A new owner's name: random, and telling which process it is."""
    me = identity_of(os.getpid())
    assert me is not None, "a process that runs has an identity"
    return f"{secrets.token_hex(4)}@{me.boot_id}/{me.pid}/{me.start_time}"


def gone(name: str) -> bool:
    """The process of this owner's name cannot be running any more; False where that cannot be proven."""
    try:
        _, rest = name.split("@", 1)
        boot, pid, started = rest.split("/")
        named = Identity(int(pid), int(started), boot)
    except ValueError:
        return False
    return boot != boot_id() or not named.alive
