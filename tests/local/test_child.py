"""A child ends with its parent, is written down, and is ended in time."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from serinus.local.child import Command, Register, end, registered, start, tail, tied
from serinus.stores.process import identity_of
from tests.local.running import until

SLEEPS = (sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)")
DEAF = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
)


async def test_it_is_written_down_while_it_runs(tmp_path: Path) -> None:
    register = Register(tmp_path / "processes.json")
    child = await start(Command("sleeper", SLEEPS, tmp_path / "log"), register)
    assert registered(register.path) == (child.identity,)
    assert await child.stop(5) == -signal.SIGTERM
    assert registered(register.path) == ()
    assert not child.identity.alive


async def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    child = await start(Command("deaf", DEAF, tmp_path / "log"), Register(tmp_path / "processes.json"))
    await until(lambda: tail(tmp_path / "log") == "deaf", "it does not listen")
    assert await child.stop(0.1) == -signal.SIGKILL


async def test_the_kernel_ends_it_when_its_parent_is_killed(tmp_path: Path) -> None:
    words = tied((sys.executable, "-c", "import time; time.sleep(60)"))
    parent_code = f"import subprocess, time; print(subprocess.Popen({words!r}).pid, flush=True); time.sleep(60)"
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", parent_code, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    child = identity_of(int(await asyncio.wait_for(parent.stdout.readline(), 10)))
    assert child is not None
    assert child.alive

    def tied_already() -> bool:
        """Past `setpriv`: before it the words are its parent's, and while a program takes another's place there are none."""
        said = Path(f"/proc/{child.pid}/cmdline").read_bytes()
        return said.startswith(os.fsencode(sys.executable)) and b"setpriv" not in said

    await until(tied_already, "it is tied")
    parent.kill()
    await parent.wait()
    await until(lambda: not child.alive, "the child is gone")
    assert await parent.stdout.read() == b""  # else its pipe is closed by whoever collects it, in a later test


async def test_leftovers_are_ended_and_strangers_with_their_pid_are_not(tmp_path: Path) -> None:
    child = await start(Command("sleeper", SLEEPS, tmp_path / "log"), Register(tmp_path / "processes.json"))
    me = identity_of(os.getpid())
    assert me is not None
    earlier = type(me)(me.pid, me.start_time - 1, me.boot_id)
    await end((earlier, child.identity))
    assert await child.ended() == -signal.SIGKILL


def test_a_torn_register_names_nobody(tmp_path: Path) -> None:
    for text in ("", "[{", '[{"pid": 1}]', "[3]"):
        (tmp_path / "processes.json").write_text(text)
        assert registered(tmp_path / "processes.json") == ()


def test_the_tail_is_the_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail(log) == ""
    log.write_text("\n".join(map(str, range(10_000))))
    assert tail(log, 2) == "9998\n9999"
