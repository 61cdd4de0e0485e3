"""What are the objects of one service called? As its policy says, every name filled in."""

from __future__ import annotations

from dataclasses import dataclass

from serinus.kube import names
from serinus.kube.client import Kind


@dataclass(frozen=True, slots=True)
class Named:
    """What the objects of one service are called.

    Args:
        deployment: the stable one
        service: stable's; empty where no router splits by Services: then the router writes the canary's number of pods, its weight
        container: the one that runs the service; empty: the only one
        image: repository of its versions; empty: that of its present image
        autoscaler: HorizontalPodAutoscaler of stable; there need not be one
    """

    deployment: str
    service: str
    container: str = ""
    image: str = ""
    autoscaler: str = ""

    @property
    def canary(self) -> str:
        return names.canary_name(self.deployment)


@dataclass(frozen=True, slots=True)
class Routed:
    """The object that splits the traffic.

    Args:
        backends: where its weights stand, as jq has it: `.spec.routes[].services`
    """

    kind: Kind
    name: str
    backends: str
