"""The whole story by a real Prefect server over a Deployment on a real Kubernetes, at that platform's own pace."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from flows import start
from tests.cluster.access import Access
from tests.flows.serving import PrefectServer
from tests.kube.test_release import STABLE, counted, leftovers, policy, users
from tests.routers.on_kubernetes import FORMS
from tests.workloads.on_kubernetes import a_deployment, a_service
from tests.workloads.test_rights import granted

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("version", "state", "runs"),
    [("v1.1", "Promoted", "v1.1"), ("v2-errors", "RolledBack", "v1.0")],
)
async def test_a_release_through_prefect(
    version: str,
    state: str,
    runs: str,
    space: Access,
    prefect: PrefectServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    granted(space, tmp_path)
    space.apply(
        a_deployment(containers=[STABLE]),
        a_service(),
        a_service("files"),
        FORMS["contour"].object(f"{space.namespace}.example"),
    )
    account = space.as_account("serinus", tmp_path)
    monkeypatch.setattr("serinus.kube.connecting.KUBE_CONFIG_DEFAULT_LOCATION", str(account.kubeconfig))
    monkeypatch.setenv("SERINUS_STATE", str(tmp_path / "state"))
    async with users(space.cluster.ingress, f"{space.namespace}.example") as asked:
        await counted(space.cluster.prometheus, space.namespace)
        given = policy(space, "contour", space.cluster.prometheus)
        ended = await start.run_here(await start.create("shop", version, policy=given, key=uuid4().hex, here=True))
    assert ended.name == state, ended.message
    image = space.get("deployment", "shop")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.endswith(f":{runs}")
    assert leftovers(space) == []
    assert asked.failed == 0 if state == "Promoted" else 0 < asked.failed < 40, asked.seen
    assert not (tmp_path / "state").exists()
