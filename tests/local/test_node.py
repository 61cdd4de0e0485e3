"""What an arm's store wants, whatever somebody wrote into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from serinus.local.node import wanted_by
from serinus.stores.revisions import Store


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b"7", b"[" * 100_000, b'{"template": "v2", "replicas": 1}', b'{"template": {}, "replicas": 1}'],
)
def test_what_is_no_workload_is_said_and_ends_no_platform(tmp_path: Path, content: bytes) -> None:
    """The node says a ValueError and looks again; anything else would end it and all that serves beside it."""
    Store(tmp_path / "canary").write(content, 0)
    with pytest.raises(ValueError, match=r"canary, revision 1: no template"):
        wanted_by(tmp_path)
