"""Which program does an image mean, and which images are not there? A registry's part, without a registry.

Any image is the demo service, its tag one of the catalogue's versions; `pause` runs nothing at all and `busybox` only what
the pod's own command and arguments say. A tag can be made to mean another version (`retagged`), as when somebody pushes over it; a
digest means one version for ever.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serinus.local.catalogue import CATALOGUE

PAUSE = ("3.9", "3.10", "3.10.1")
BUSYBOX = ("1.36", "1.37", "latest")
COMMANDS = "commands"
"""The version of an image that runs what its pod says, on this machine's own programs."""

NAME = re.compile(
    r"(?P<repository>[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\.[a-z0-9]+)*(?::[0-9]+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


class InvalidImageName(Exception):
    """What no registry could be asked for."""


class ErrImagePull(Exception):
    """The registry has no such image."""


@dataclass(frozen=True, slots=True)
class Image:
    """One that was pulled.

    Args:
        id: its repository with its digest, as a container's status has it
        program: `shop`, `pause` or `busybox`
    """

    id: str
    program: str
    version: str


def pull(image: str, retagged: Mapping[str, str]) -> Image:
    """The image of this name.

    Args:
        retagged: `repository:tag` to the version that it means now, or to `COMMANDS`

    Raises:
        InvalidImageName, ErrImagePull: with a kubelet's words
    """
    parts = NAME.fullmatch(image)
    if parts is None:
        raise InvalidImageName(f'Failed to apply default image tag "{image}": couldn\'t parse image name')
    repository, tag, digest = parts["repository"], parts["tag"] or "latest", parts["digest"]
    program, versions = _held(repository)
    if digest:
        version = next((one for one in versions if _digest(repository, one) == digest), None)
    else:
        version = retagged.get(f"{repository}:{tag}", tag)
        if version == COMMANDS:
            program, versions = "busybox", (COMMANDS,)
    if version not in versions:
        name = f"{repository}@{digest}" if digest else f"{repository}:{tag}"
        raise ErrImagePull(
            f'rpc error: code = NotFound desc = failed to pull and unpack image "{name}": '
            f'failed to resolve reference "{name}": {name}: not found'
        )
    return Image(f"{repository}@{_digest(repository, version)}", program, version)


def read_retagged(path: Path) -> dict[str, str]:
    """What `retag` has written; empty where there is no such file."""
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return {}


def retag(path: Path, image: str, version: str) -> None:
    """From now on this `repository:tag` means that version."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(read_retagged(path) | {image: version}))
    temporary.replace(path)


def _held(repository: str) -> tuple[str, tuple[str, ...]]:
    """The program that a repository's images run, and its versions."""
    match repository.rpartition("/")[2]:
        case "pause":
            return "pause", PAUSE
        case "busybox":
            return "busybox", BUSYBOX
        case _:
            return "shop", tuple(CATALOGUE)


def _digest(repository: str, version: str) -> str:
    return "sha256:" + hashlib.sha256(f"{repository}:{version}".encode()).hexdigest()
