"""Which ports are this platform's? A block of a hundred, claimed whole, so that two platforms never meet."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass, field

from serinus.errors import Refused

LOOPBACK = "127.0.0.1"
# Below the range that the kernel hands to outgoing connections: no stranger's connection sits on a port of ours while
# one of our processes restarts.
FIRST, LAST, SIZE = 20_000, 32_700, 100


@dataclass(slots=True)
class Block:
    """A hundred ports. The claim is a listening socket on the first of them: the kernel frees it with its holder.

    Args:
        claim: held as long as the platform lives
    """

    claim: socket.socket
    _offset: int = 1
    _demanded: set[int] = field(default_factory=set)

    def take(self) -> int:
        """A port that is free now, the longest unused first.

        Raises:
            Refused: none is free
        """
        first: int = self.claim.getsockname()[1]
        for step in range(SIZE):
            offset = 1 + (self._offset - 1 + step) % (SIZE - 1)
            if first + offset not in self._demanded and is_free(first + offset):
                self._offset = offset + 1
                return first + offset
        raise Refused(f"no port between {first} and {first + SIZE} is free")

    def demand(self, port: int, what: str) -> int:
        """This very port.

        Raises:
            Refused: it is taken, or no port at all
        """
        if not 1 <= port <= 65_535:
            raise Refused(f"{port} is no port for {what}: give one from 1 to 65535, or none for a free one")
        if port in self._demanded or not is_free(port):
            raise Refused(f"port {port} for {what} is taken: choose another, or none for a free one")
        self._demanded.add(port)
        return port

    def release(self) -> None:
        self.claim.close()


def claim_block() -> Block:
    """A block that no other platform holds.

    Raises:
        Refused: all are held
    """
    starts = list(range(FIRST, LAST - SIZE + 1, SIZE))
    random.shuffle(starts)
    for start in starts:
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            holder.bind((LOOPBACK, start))
            holder.listen(1)
        except OSError:
            holder.close()
            continue
        return Block(holder)
    raise Refused(
        f"every block of {SIZE} ports between {FIRST} and {LAST} is held: is something listening on all of them?"
    )


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((LOOPBACK, port))
            tried.listen(1)
        except OSError:
            return False
    return True
