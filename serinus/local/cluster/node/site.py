"""What do all pods of one node share? Where it keeps things, and whom it asks and tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from serinus.local.child import Register
from serinus.local.cluster.node.api import Api
from serinus.local.cluster.node.events import Events
from serinus.local.cluster.node.images import Image, pull, read_retagged
from serinus.local.cluster.node.sources import Reader
from serinus.local.programs import Say


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
    reader: Reader
    events: Events
    say: Say

    @property
    def server(self) -> dict[str, str]:
        """Where a pod finds the API server: nothing here routes to the address of its Service."""
        found = urlsplit(self.api.connection.configuration.host)
        return {"KUBERNETES_SERVICE_HOST": str(found.hostname), "KUBERNETES_SERVICE_PORT": str(found.port or 443)}

    def pull(self, image: str) -> Image:
        return pull(image, read_retagged(self.folder / "images.json"))


def now() -> str:
    """As the API writes a time."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
