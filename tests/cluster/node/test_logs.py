"""Which life's log is meant, as a kubelet chooses it; and what is given of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from serinus.local.cluster.node.logs import lines, which
from serinus.local.cluster.node.status import Container, Running, Terminated, Waiting

END = Terminated(1, "Error", "", "")
FIRST = Container(Running(""))
SECOND = Container(Running(""), restarts=1, last=END)
ENDED = Container(END, restarts=1, last=END)
WAITING = Container(Waiting("CrashLoopBackOff"), restarts=1, last=END)
CREATING = Container(Waiting("ContainerCreating"))


@pytest.mark.parametrize(
    ("known", "now", "previous"),
    [(FIRST, 0, None), (SECOND, 1, 0), (ENDED, 1, 0), (WAITING, 1, 1), (CREATING, None, None)],
)
def test_which_life(known: Container, now: int | None, previous: int | None) -> None:
    assert (which(known, False), which(known, True)) == (now, previous)


def test_the_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"a\nb\nc")
    assert lines(log, 2) == b"b\nc"
    assert lines(log, 0) == b""
    assert lines(log, None) == b"a\nb\nc"
