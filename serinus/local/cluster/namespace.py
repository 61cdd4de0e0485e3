"""Where do a cluster's addresses live? In a network namespace of its own, in which every pod address is local.

Nothing can leave the machine from there, and two clusters never meet. What runs inside is not asked here.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from serinus.errors import Refused

PODS = "10.244.0.0/16"
"""One address a pod. EndpointSlices refuse loopback addresses, so pods do not live on 127.x."""
CLONE_NEWNET = 0x40000000
CAP_SYS_ADMIN = 21
SECONDS = 10.0


def mighty() -> bool:
    """This process may make network namespaces: it is root, of the machine or of a user namespace."""
    status = Path("/proc/self/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> CAP_SYS_ADMIN & 1)


def why_not() -> str | None:
    """What stands against a namespace on this machine, in one sentence; None where nothing does."""
    for needed, package in (("ip", "iproute2"), ("unshare", "util-linux"), ("setpriv", "util-linux")):
        if shutil.which(needed) is None:
            return f"{needed} is not on PATH: install {package}, the tests' cluster needs it"
    flags = "-n" if mighty() else "-rn"
    asked = subprocess.run(["unshare", flags, "true"], capture_output=True, text=True, timeout=SECONDS, check=False)
    if not asked.returncode:
        return None
    return (
        f"this machine lets nobody but root make a network namespace (`unshare {flags} true`: "
        f"{asked.stderr.strip() or 'no reason given'}), which the tests' cluster needs: run as root, or allow "
        "unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces > 0, "
        "kernel.apparmor_restrict_unprivileged_userns=0)"
    )


def privileged(command: Sequence[str]) -> tuple[str, ...]:
    """The command as one that may enter namespaces: itself, or as root of a user namespace."""
    return tuple(command) if mighty() else ("unshare", "--map-root-user", "--", *command)


def enter() -> None:
    """Move this thread, and whatever it starts from now on, into a new namespace. There is no way back.

    Raises:
        Refused: it may not; the text says what to do
    """
    if not mighty():
        raise Refused(
            "only root, or a command started by `python -m serinus.local.cluster run`, can enter a network namespace"
        )
    # os.unshare is there from Python 3.12 on.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        number = ctypes.get_errno()
        raise Refused(f"no network namespace could be made: {os.strerror(number)}")
    for words in (("link", "set", "lo", "up"), ("route", "add", "local", PODS, "dev", "lo")):
        done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode:
            raise Refused(f"`ip {' '.join(words)}` failed in the new network namespace: {done.stderr.strip()}")


def inside(pid: int, command: Sequence[str]) -> tuple[str, ...]:
    """The command as one that runs in the namespace of that process, which is ours."""
    try:
        foreign = Path(f"/proc/{pid}/ns/user").readlink() != Path("/proc/self/ns/user").readlink()
    except OSError as problem:
        raise Refused(f"the cluster's process {pid} cannot be entered: {problem.strerror}") from None
    user = ("--user", "--preserve-credentials") if foreign else ()
    return ("nsenter", f"--target={pid}", *user, "--net", "--", *command)
