"""Which version is an image, and what is the image of another version? Pure; whether it exists only a registry knows."""

from __future__ import annotations


def repository(image: str) -> str:
    """`ghcr.io:443/team/shop:v1@sha256:...` -> `ghcr.io:443/team/shop`"""
    named = image.partition("@")[0]
    path, colon, tag = named.rpartition(":")
    return path if colon and "/" not in tag else named


def version(image: str) -> str:
    """Its tag; its digest where it has no tag; `latest` where it has neither, as a container runtime has it."""
    named, _, digest = image.partition("@")
    tag = named.removeprefix(repository(image)).removeprefix(":")
    return tag or digest or "latest"


def of(name: str, wanted: str) -> str:
    """The image of a version.

    Args:
        name: repository
        wanted: tag or digest
    """
    return f"{name}@{wanted}" if ":" in wanted else f"{name}:{wanted}"


def content(image_id: str) -> str:
    """The digest that a kubelet's `imageID` names (`docker-pullable://shop@sha256:...`), whatever is written around it."""
    return image_id.rpartition("@")[2].rpartition("//")[2]
