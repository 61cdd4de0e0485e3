"""Where do a pod's volumes lie, and do they hold what they should? Folders of the node's, written again when a source changes.

A path mounted with `subPath` follows its source too, which a kubelet's does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from serinus.local.cluster.node.environment import Sources, files
from serinus.local.cluster.node.status import Object


def write(pod: Object, ip: str, folder: Path, sources: Sources) -> None:
    """Make every volume's folder what it should be.

    Raises:
        FailedMount: what a volume refers to is not there, or it is of a kind that there is none of here
    """
    for volume in pod["spec"].get("volumes", []):
        wanted = files(volume, pod, ip, sources)
        place = folder / volume["name"]
        place.mkdir(parents=True, exist_ok=True)
        if "emptyDir" not in volume:
            _hold(place, wanted)


def mounts(container: Object, folder: Path) -> dict[str, Path]:
    """Path in the container to where that is."""
    return {
        one["mountPath"]: folder / one["name"] / one.get("subPath", "") for one in container.get("volumeMounts", [])
    }


def _hold(place: Path, wanted: Mapping[str, bytes]) -> None:
    """Each file is replaced as a whole: nobody reads a half one."""
    for name, content in wanted.items():
        path = place / name
        if path.is_file() and path.read_bytes() == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(content)
        temporary.replace(path)
    kept = {place / name for name in wanted}
    for path in [path for path in place.rglob("*") if path.is_file() and path not in kept]:
        path.unlink()
