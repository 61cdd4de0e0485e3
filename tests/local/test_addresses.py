from __future__ import annotations

import socket

import pytest

from serinus.errors import Refused
from serinus.local.addresses import LOOPBACK, SIZE, claim_block, is_free


def test_two_blocks_never_share_a_port() -> None:
    one, other = claim_block(), claim_block()
    ports = {block.claim.getsockname()[1] // SIZE for block in (one, other)}
    assert len(ports) == 2
    one.release()
    other.release()


def test_a_port_that_somebody_else_holds_is_passed_over() -> None:
    block = claim_block()
    first = block.claim.getsockname()[1]
    with socket.socket() as stranger:
        stranger.bind((LOOPBACK, first + 1))
        stranger.listen(1)
        assert block.take() == first + 2
    block.release()


def test_the_longest_unused_comes_next() -> None:
    block = claim_block()
    taken = [block.take() for _ in range(SIZE - 1)]
    assert len(set(taken)) == SIZE - 1
    assert block.take() == taken[0]
    block.release()


def test_a_demanded_port_that_is_taken_is_refused_with_what_to_do() -> None:
    block = claim_block()
    with socket.socket() as stranger:
        stranger.bind((LOOPBACK, 0))
        stranger.listen(1)
        port = stranger.getsockname()[1]
        with pytest.raises(Refused, match=f"port {port} for Prometheus is taken: choose another"):
            block.demand(port, "Prometheus")
    assert block.demand(port, "Prometheus") == port
    with pytest.raises(Refused, match="is taken"):
        block.demand(port, "the same once more")
    with pytest.raises(Refused, match="70000 is no port"):
        block.demand(70_000, "Prometheus")
    block.release()


def test_a_block_is_free_again_once_it_is_released() -> None:
    block = claim_block()
    port = block.claim.getsockname()[1]
    assert not is_free(port)
    block.release()
    assert is_free(port)
