"""One of several writers that count together; a process of its own runs it, so it imports little."""

from __future__ import annotations

from pathlib import Path

from serinus.errors import Conflict
from serinus.stores.revisions import Store


def increment(folder: str, times: int) -> int:
    """Count up `times` times, whoever else does; how often it was beaten."""
    store, beaten = Store(Path(folder)), 0
    for _ in range(times):
        while True:
            number, content = store.read() or (0, b"0")
            try:
                store.write(str(int(content) + 1).encode(), number)
                break
            except Conflict:
                beaten += 1
    return beaten
