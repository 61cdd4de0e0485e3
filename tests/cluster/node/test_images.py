"""A tag is a version, a digest is one for ever, and what is not there is said as a registry's client says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from serinus.local.cluster.node.images import COMMANDS, ErrImagePull, InvalidImageName, pull, read_retagged, retag


@pytest.mark.parametrize("repository", ["shop", "ghcr.io/acme/shop", "localhost:5000/a/b_c/checkout-api"])
def test_a_tag_is_a_version_of_the_demo_service(repository: str) -> None:
    image = pull(f"{repository}:v2-errors", {})
    assert (image.program, image.version) == ("shop", "v2-errors")
    assert image.id.startswith(f"{repository}@sha256:")
    assert pull(image.id, {}) == image, "an image is found by its id"


def test_two_versions_have_two_ids() -> None:
    assert pull("shop:v1", {}).id != pull("shop:v2", {}).id


def test_programs_of_their_own() -> None:
    assert pull("registry.k8s.io/pause:3.10", {}).program == "pause"
    assert pull("busybox", {}).program == "busybox"


@pytest.mark.parametrize("image", ["shop:v99", "shop", "busybox:0.1", f"shop@sha256:{'0' * 64}"])
def test_what_is_not_there(image: str) -> None:
    with pytest.raises(ErrImagePull, match="not found"):
        pull(image, {})


@pytest.mark.parametrize("image", ["Shop:v1", "shop:", "shop:v1@sha256:1", "a b", "", "-shop"])
def test_what_is_no_name(image: str) -> None:
    with pytest.raises(InvalidImageName, match="couldn't parse"):
        pull(image, {})


def test_somebody_pushes_over_a_tag(tmp_path: Path) -> None:
    registry = tmp_path / "images.json"
    assert read_retagged(registry) == {}
    before = pull("shop:v1", {})
    retag(registry, "shop:latest", "v1")
    retag(registry, "shop:v1", "v2-errors")
    retagged = read_retagged(registry)
    assert pull("shop:latest", retagged) == before
    assert pull("shop:v1", retagged).version == "v2-errors"
    assert pull(before.id, retagged) == before, "the digest still means what it meant"


def test_an_image_can_be_made_to_run_what_its_pod_says() -> None:
    assert pull("ghcr.io/acme/serinus:0.1", {"ghcr.io/acme/serinus:0.1": COMMANDS}).program == "busybox"
