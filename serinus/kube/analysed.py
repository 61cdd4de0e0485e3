"""Which image has a release analysed? The one that its canary's pods had when they first were whole, whatever its tag means by now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from serinus.kube import canary, rollout, stable
from serinus.kube.patch import Object
from serinus.kube.pods import image_id
from serinus.kube.template import Template, containers


class Analysed:
    """Remembers the image of one canary at a time.

    Args:
        container: the one that runs the service; empty: the only one
    """

    def __init__(self, container: str) -> None:
        self._container = container
        self._whose = ("", "")
        self._images: Mapping[str, Any] = {}

    def first(self, found: Object, pods: list[Object]) -> Mapping[str, Any]:
        """As `stable.analysed` has it; empty until the canary has been whole.

        A pod that is made later under a tag that somebody has moved runs what nobody has analysed.
        """
        template = canary.analysed(found)
        whose = canary.release_of(found), template.code
        if self._whose == whose:
            return self._images
        whole = rollout.settled(found) and len(pods) == found["spec"]["replicas"]
        images = self._now(template, pods) if whole else {}
        if images:
            self._whose, self._images = whose, images
        return images

    def best(self, found: Object, pods: list[Object]) -> Mapping[str, Any]:
        """The first, else what they have now."""
        return self.first(found, pods) or self._now(canary.analysed(found), pods)

    def _now(self, template: Template, pods: Iterable[Object]) -> Mapping[str, Any]:
        ids = [image_id(pod, containers(pod["spec"], self._container)["name"]) for pod in pods]
        return stable.analysed(template, self._container, ids)
