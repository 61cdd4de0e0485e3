"""What makes a Deployment's pods what they are, as one opaque text: their template, and what they mount by checksum. Pure.

Two equal texts run the same code and config. What a canary has in its place is `canary`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from serinus.errors import Refused
from serinus.kube import image
from serinus.kube.config import CHARACTERS

RESTARTED = "kubectl.kubernetes.io/restartedAt"
"""What `kubectl rollout restart` writes: the same code and config, in new pods."""


@dataclass(frozen=True, slots=True)
class Template:
    """What `Side.template` says.

    Args:
        pod: `spec.template` of a Deployment, as the API server has it
        config: checksum by `Kind/name` of everything that it mounts
    """

    pod: Mapping[str, Any]
    config: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Template:
        """What `text` wrote.

        Raises:
            Refused: it is no template of this kind, such as one of another platform
        """
        try:
            held = json.loads(text)
            pod, config = held["pod"], held["config"]
            pod["spec"]["containers"]
        except (ValueError, KeyError, TypeError) as cause:
            raise Refused(f"not the template of a Deployment: {cause}") from cause
        return cls(pod, config)

    @property
    def code(self) -> str:
        """Digest of the pods' template alone; two equal ones run the same code, however often they were restarted."""
        return hashlib.sha256(json.dumps(_unrestarted(self.pod), sort_keys=True).encode()).hexdigest()[:CHARACTERS]

    @property
    def labels(self) -> Mapping[str, str]:
        """Of the pods."""
        return (self.pod.get("metadata") or {}).get("labels") or {}

    def text(self) -> str:
        return json.dumps({"pod": self.pod, "config": self.config}, sort_keys=True, separators=(",", ":"))

    def container(self, name: str) -> Mapping[str, Any]:
        """The container that runs the service.

        Args:
            name: the policy's; empty: the only one

        Raises:
            Refused: there is none of that name, or several to choose from
        """
        return containers(self.pod["spec"], name)

    def running(self, name: str, wanted: str) -> Template:
        """The same with another image in that container; every other container, label and setting stays."""
        mine = self.container(name)["name"]
        changed = [one | {"image": wanted} if one["name"] == mine else one for one in self.pod["spec"]["containers"]]
        return replace(self, pod={**self.pod, "spec": {**self.pod["spec"], "containers": changed}})


def _unrestarted(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = pod.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    if RESTARTED not in annotations:
        return pod
    kept = {name: text for name, text in annotations.items() if name != RESTARTED}
    others = {name: value for name, value in metadata.items() if name != "annotations"}
    return {**pod, "metadata": {**others, **({"annotations": kept} if kept else {})}}


def containers(spec: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """One container of a pod's spec; see `Template.container`."""
    there = spec["containers"]
    named = [one for one in there if not name or one["name"] == name]
    if len(named) == 1:
        return dict(named[0])
    listed = ", ".join(one["name"] for one in there)
    if name:
        raise Refused(f"there is no container {name!r}; there are {listed}")
    raise Refused(f"its pods have the containers {listed}: name the one to release in workload.kubernetes.container")


def version(spec: Mapping[str, Any], name: str) -> str:
    """For people: the version that a pod's spec runs."""
    return image.version(containers(spec, name).get("image", ""))
