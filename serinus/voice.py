"""How does a process speak? Line by line, and whatever becomes of its words, it goes on with what it does.

Nothing that serves users, holds a release or returns its traffic may end because a log's disk is full or its reader has left.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO

_lost: dict[TextIO, str] = {}
"""By stream why its last words were not written."""


def speak(text: str, stream: TextIO) -> None:
    """One line, written at once where that can be."""
    _try(stream, text + "\n")


def finish() -> str:
    """Before this process ends: why the last words on standard output could not be written; empty where they were.

    Nothing is left that the interpreter would write by itself, and, where it cannot, change the exit code for.
    """
    for stream in (sys.stdout, sys.stderr):
        _try(stream)
    for stream in _lost:
        hush(stream)
    return _lost.pop(sys.stdout, "")


def _try(stream: TextIO, words: str = "") -> None:
    try:
        stream.write(words)
        stream.flush()
    except BrokenPipeError:
        hush(stream)
    except OSError as cause:
        _lost[stream] = cause.strerror or str(cause)
    else:
        if words:
            _lost.pop(stream, None)


def hush(stream: TextIO) -> None:
    """Whoever read it has left (`| head`): what is said from now on, and what waits to be written, is said to nobody."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
