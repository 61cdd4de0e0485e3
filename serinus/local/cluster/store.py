"""What does a new cluster's etcd hold already? The kinds of Contour and the Gateway API, a Gateway, and one route.

To have them checked and taken up costs the API server seconds; so it is done once, and each cluster starts with a copy. It
holds no key and no token.
"""

from __future__ import annotations

import hashlib
import inspect
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from serinus.local.cluster import control_plane, credentials, objects
from serinus.local.cluster.keeping import kept
from serinus.local.cluster.programs import CONTOUR, KUBERNETES
from serinus.local.cluster.readiness import api_answers, until
from serinus.local.programs import Say, cache

KINDS = ("contour", "gateway-api")
FOLDER = "etcd"


def home() -> Path:
    """Where it is kept: another one for other programs, kinds or objects."""
    parts = (KUBERNETES.home.name, CONTOUR.home.name, inspect.getsource(objects))
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return cache() / "cluster" / f"store-{digest[:12]}"


async def prepare(folder: Path, say: Say) -> None:
    """Make it, where it is not there yet: etcd and the API server alone, for a few seconds.

    Args:
        folder: the cluster's, which nothing uses yet
    """
    if home().exists():
        return
    say("preparing what every cluster starts with, once")
    access = credentials.write(folder / "access", f"https://{control_plane.LOOPBACK}:{control_plane.API}")
    async with kept(folder, say) as keep:
        etcd, api_server = (
            control_plane.etcd(folder, folder / "logs"),
            control_plane.api_server(access, folder / "logs"),
        )
        parts = [keep(etcd), keep(api_server)]
        await until("kube-apiserver", parts, lambda: api_answers(access), say)
        async with objects.connect(access.kubeconfig("admin")) as api:
            await objects.define(api, KINDS)
            await objects.open_gateway(api)
    with TemporaryDirectory(dir=home().parent, prefix=".store-") as temporary:
        whole = Path(temporary) / "whole"
        shutil.move(folder / FOLDER, whole)
        if not home().exists():
            whole.rename(home())


def copy(folder: Path) -> None:
    """A cluster's own."""
    shutil.copytree(home(), folder / FOLDER, dirs_exist_ok=True)
    (folder / FOLDER).chmod(0o700)
