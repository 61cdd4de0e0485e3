"""An image's parts, with every separator that may stand in it."""

from __future__ import annotations

import pytest

from serinus.kube import image

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("written", "repository", "version"),
    [
        ("shop", "shop", "latest"),
        ("shop:v1", "shop", "v1"),
        ("team/shop:v1", "team/shop", "v1"),
        ("localhost:5000/shop", "localhost:5000/shop", "latest"),
        ("localhost:5000/team/shop:v1", "localhost:5000/team/shop", "v1"),
        (f"shop@{DIGEST}", "shop", DIGEST),
        (f"ghcr.io/team/shop:v1@{DIGEST}", "ghcr.io/team/shop", "v1"),
    ],
)
def test_an_image_is_a_repository_and_a_version(written: str, repository: str, version: str) -> None:
    assert (image.repository(written), image.version(written)) == (repository, version)


@pytest.mark.parametrize("version", ["v2", "1.2.3-rc.1", DIGEST])
def test_the_image_of_a_version_has_that_version(version: str) -> None:
    made = image.of("localhost:5000/team/shop", version)
    assert (image.repository(made), image.version(made)) == ("localhost:5000/team/shop", version)


@pytest.mark.parametrize(
    "image_id", [DIGEST, f"team/shop@{DIGEST}", f"docker-pullable://shop@{DIGEST}", f"docker://{DIGEST}"]
)
def test_an_image_id_names_its_content(image_id: str) -> None:
    assert image.content(image_id) == DIGEST
