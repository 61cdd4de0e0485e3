"""What do all pods of one node share? Where it keeps things, and whom it asks and tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from serinus.local.child import Register
from serinus.local.programs import Say
from tests.cluster.node.api import Api, ApiError
from tests.cluster.node.environment import Source, Sources, decoded
from tests.cluster.node.events import Events
from tests.cluster.node.images import Image, pull, read_retagged


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds before the next try: doubled from the first to the longest; a kubelet's own by default.

    Args:
        forgotten: a container that ran for so long begins anew
    """

    first: float = 10.0
    longest: float = 300.0
    forgotten: float = 600.0


@dataclass(frozen=True, slots=True)
class Site:
    """One node's.

    Args:
        address: of the node
        folder: `images.json`, `faults/<namespace>.json`, `pods/<uid>/` with the logs and volumes
    """

    name: str
    address: str
    folder: Path
    api: Api
    client: httpx.AsyncClient
    register: Register
    backoff: Backoff
    events: Events
    say: Say

    def pull(self, image: str) -> Image:
        return pull(image, read_retagged(self.folder / "images.json"))

    async def sources(self, namespace: str, wanted: set[Source]) -> Sources:
        """ConfigMaps and Secrets as they are now."""
        found: dict[Source, Mapping[str, bytes] | None] = {}
        for kind, name in wanted:
            try:
                one = await self.api.call("GET", f"/api/v1/namespaces/{namespace}/{kind}/{name}")
            except ApiError as problem:
                if problem.status != 404:
                    raise
                found[kind, name] = None
            else:
                found[kind, name] = decoded(kind, one)
        return found


def now() -> str:
    """As the API writes a time."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
