"""Which ConfigMaps and Secrets do pods get, and are they still what they were? Pure.

Only checksums are kept of their content: a Secret must not stand in a record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CHARACTERS = 16
"""Of a checksum: 64 bits, for what changes by accident and by hand, never by attack."""


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """One object that pods take configuration from.

    Args:
        kind: `ConfigMap` or `Secret`
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def references(pod: Mapping[str, Any]) -> tuple[Reference, ...]:
    """Every ConfigMap and Secret that a pod's spec mounts or takes variables from, each once."""
    volumes = pod.get("volumes") or ()
    containers = (*(pod.get("initContainers") or ()), *(pod.get("containers") or ()))
    found = {*_mounted(volumes), *(ref for container in containers for ref in _taken(container))}
    return tuple(sorted(ref for ref in found if ref.name))


def _mounted(volumes: Any) -> Iterator[Reference]:
    for volume in volumes:
        sources = (volume, *((volume.get("projected") or {}).get("sources") or ()))
        for source in sources:
            if config := source.get("configMap"):
                yield Reference("ConfigMap", config.get("name", ""))
            if secret := source.get("secret"):
                yield Reference("Secret", secret.get("secretName") or secret.get("name", ""))


def _taken(container: Mapping[str, Any]) -> Iterator[Reference]:
    for every in container.get("envFrom") or ():
        yield from _named(every, "configMapRef", "secretRef")
    for variable in container.get("env") or ():
        yield from _named(variable.get("valueFrom") or {}, "configMapKeyRef", "secretKeyRef")


def _named(source: Mapping[str, Any], config: str, secret: str) -> Iterator[Reference]:
    for kind, key in (("ConfigMap", config), ("Secret", secret)):
        if source.get(key):
            yield Reference(kind, source[key].get("name", ""))


def checksum(found: Mapping[str, Any] | None) -> str:
    """Of all that it holds; `absent` of one that is not there, as optional ones may be."""
    if found is None:
        return "absent"
    held = {key: found.get(key) or {} for key in ("data", "binaryData")}
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()[:CHARACTERS]
