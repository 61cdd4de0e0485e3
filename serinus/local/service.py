"""What a service is before any release: its name, its version, how many instances, and the stores that say so."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from serinus.errors import Refused
from serinus.local.catalogue import CATALOGUE
from serinus.routers.envoy import initial
from serinus.settings import Folders
from serinus.stores.pods import STABLE
from serinus.stores.revisions import Store

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Service:
    """One service as the platform starts it.

    Args:
        version, replicas: of stable, where its store does not say otherwise already
        port: where users' requests go; None is any free one

    Raises:
        Refused: no such name, version or count
    """

    name: str
    version: str = "v1"
    replicas: int = 2
    port: int | None = None

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise Refused(
                f"{self.name!r} is no service's name: up to 40 of a-z, 0-9 and hyphens inside, such as `shop`"
            )
        if self.version not in CATALOGUE:
            raise Refused(f"the demo service has no version {self.version!r}; there are {', '.join(CATALOGUE)}")
        if not 1 <= self.replicas <= 20:
            raise Refused(f"{self.replicas} instances of {self.name}: 1 to 20 are possible here")


def service_from(text: str) -> Service:
    """The service of `name[:version[:replicas[:port]]]`.

    Raises:
        Refused: it is not written so
    """
    parts = text.split(":")
    name, version, replicas, port = (*parts, "", "", "", "")[:4]
    if len(parts) > 4 or not (replicas or "2").isdecimal() or not (port or "1").isdecimal():
        raise Refused(f"{text!r} is not name[:version[:replicas[:port]]], such as shop:v1:2")
    return Service(name, version or "v1", int(replicas or 2), int(port) if port else None)


def begin(folders: Folders, service: Service) -> None:
    """Stable's store and the route, where there are none yet. Blocks."""
    stable = Store(folders.service(service.name) / STABLE)
    if stable.read() is None:
        content = {"template": {"version": service.version}, "replicas": service.replicas, "note": None}
        stable.write(json.dumps(content).encode(), 0)
    initial(folders, service.name)
