"""What is run for a container: which words, in which environment? Pure, given the image and what the pod refers to."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from serinus.local.cluster.node.environment import Sources, environment, expanded, relocated
from serinus.local.cluster.node.images import Image
from serinus.local.cluster.node.probe import Where
from serinus.local.cluster.node.status import Object

SHOP_PORT = 8080
RUN = re.compile(r"(/var)?/run/")
MOUNT = """
mount -t tmpfs -o mode=755 none /run || exit 126
while [ "$1" != -- ]; do { mkdir -p "$2" && mount --bind "$1" "$2"; } || exit 126; shift 2; done
shift
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What can be started.

    Args:
        words: none for an image that runs nothing
        where: it is asked by its probes
    """

    words: tuple[str, ...]
    where: Where

    def among(self, more: Mapping[str, str]) -> Prepared:
        """With more in its environment, where that does not say otherwise."""
        return replace(self, where=replace(self.where, environment={**more, **self.where.environment}))


def prepared(
    container: Object, pod: Object, ip: str, image: Image, mounts: Mapping[str, Path], sources: Sources, faults: Path
) -> Prepared:
    """A container's process.

    Raises:
        CreateContainerConfigError: its environment refers to what is not there
    """
    given = environment(container, pod, ip, sources)
    seen = _always(pod) | {name: relocated(value, mounts) for name, value in given.items()}
    said = [*container.get("command", ()), *container.get("args", ())]
    words = [relocated(expanded(word, given), mounts) for word in said]
    if not container.get("command"):
        own = _entrypoint(image, container, pod, ip, faults)
        words = [] if image.program == "pause" else [*own, *words]
    ports = {one["name"]: one["containerPort"] for one in container.get("ports", []) if "name" in one}
    return Prepared(_below_run(tuple(words), mounts), Where(ip, ports, seen, mounts))


def _below_run(words: tuple[str, ...], mounts: Mapping[str, Path]) -> tuple[str, ...]:
    """With a `/run` of its own that holds what is mounted below it: a service account's token is looked for nowhere else."""
    pairs = [word for path, place in mounts.items() if RUN.match(path) for word in (str(place), path)]
    return ("unshare", "--mount", "--", "sh", "-c", MOUNT, "sh", *pairs, "--", *words) if words and pairs else words


def owner(pod: Object) -> str:
    """The Deployment that a pod is of, as far as its name tells; else whatever it is of, else itself."""
    metadata = pod["metadata"]
    for one in metadata.get("ownerReferences", []):
        if one.get("controller"):
            stem: str = one["name"]
            return stem.rpartition("-")[0] if one["kind"] == "ReplicaSet" else stem
    return str(metadata["name"])


def _entrypoint(image: Image, container: Object, pod: Object, ip: str, faults: Path) -> tuple[str, ...]:
    """What an image runs where the pod names no command of its own.

    The demo service answers on every TCP port of the container (8080 where it names none), as the service of its label
    `app`, and suffers what the faults' file says of its Deployment's name.
    """
    if image.program != "shop":
        return ()
    metadata = pod["metadata"]
    labels = metadata.get("labels", {})
    tcp = [one for one in container.get("ports", []) if one.get("protocol", "TCP") == "TCP"]
    ports = [str(one["containerPort"]) for one in tcp] or [str(SHOP_PORT)]
    given = {
        "service": labels.get("app.kubernetes.io/name") or labels.get("app") or owner(pod),
        "pod": metadata["name"],
        "arm": owner(pod),
        "version": image.version,
        "address": ip,
        "faults": str(faults),
    }
    options = [word for name, value in given.items() for word in (f"--{name}", value)]
    return (sys.executable, "-m", "serinus.local.shop", *options, "--port", *ports)


def _always(pod: Object) -> dict[str, str]:
    """What every container's process has, whatever its pod says."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOSTNAME": pod["metadata"]["name"], "LANG": "C.UTF-8"}
