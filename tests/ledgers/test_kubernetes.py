"""What a ledger of ConfigMaps must bear: others' hands, missing rights, a namespace that ends; and how little it asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serinus.errors import Conflict, Refused, Unavailable
from serinus.kube import evidence
from serinus.kube.client import Kube
from serinus.kube.connecting import connect
from serinus.kube.names import EVIDENCE, RELEASE, SERVICE, STATE
from serinus.ledgers.kubernetes import KubernetesLedger
from serinus.release.evidence import Line, verify
from serinus.release.record import State
from tests.cluster.access import Access
from tests.ledgers.test_contract import a_record, some_lines
from tests.routers.test_kubernetes import grant

pytestmark = pytest.mark.cluster
LONG = "s" * 63


@pytest.fixture
async def kube(space: Access) -> AsyncIterator[Kube]:
    made = await connect(str(space.kubeconfig), namespace=space.namespace)
    yield made
    await made.aclose()


@pytest.fixture
def ledger(kube: Kube) -> KubernetesLedger:
    return KubernetesLedger(kube, "shop")


def maps(space: Access, selector: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(space.kubectl("get", "configmaps", f"-l={selector}", "-o=json"))["items"]
    return found


def texts(lines: list[Line]) -> tuple[str, ...]:
    return tuple(line.text for line in lines)


async def test_kubectl_shows_a_record_by_its_labels(ledger: KubernetesLedger, space: Access) -> None:
    kept = await ledger.write(a_record(), None)
    await ledger.write(a_record(state=State.ROLLING_BACK), kept.version)
    (found,) = maps(space, f"{SERVICE}=shop")
    assert found["metadata"]["name"] == "serinus-shop"
    assert (
        found["metadata"]["labels"] | {SERVICE: "shop", RELEASE: "r-1", STATE: "rolling-back"}
        == found["metadata"]["labels"]
    )
    assert "ownerReferences" not in found["metadata"]


async def test_a_record_that_is_gone_is_a_conflict_and_may_be_begun_anew(
    ledger: KubernetesLedger, space: Access
) -> None:
    kept = await ledger.write(a_record(), None)
    space.kubectl("delete", "configmap", "serinus-shop")
    with pytest.raises(Conflict, match="gone"):
        await ledger.write(a_record(beat=2), kept.version)
    assert await ledger.read() is None
    again = await ledger.write(a_record(), None)
    with pytest.raises(Conflict):
        await ledger.write(a_record(beat=2), kept.version)
    assert await ledger.read() == again


async def test_labels_and_annotations_that_somebody_took_off_stop_no_write(
    ledger: KubernetesLedger, space: Access
) -> None:
    await ledger.write(a_record(), None)
    bare = [{"op": "remove", "path": f"/metadata/{name}"} for name in ("labels", "annotations")]
    space.kubectl("patch", "configmap", "serinus-shop", "--type=json", f"-p={json.dumps(bare)}")
    kept = await ledger.read()
    assert kept is not None
    await ledger.write(a_record(beat=2), kept.version)
    assert len(maps(space, f"{SERVICE}=shop")) == 1


async def test_a_config_map_of_another_kind_is_no_record(ledger: KubernetesLedger, space: Access) -> None:
    space.kubectl("create", "configmap", "serinus-shop", "--from-literal=a=b")
    with pytest.raises(Refused, match=r"ConfigMap .*/serinus-shop is no record: it has no key 'record'"):
        await ledger.read()


async def test_evidence_goes_on_in_the_next_config_map(
    ledger: KubernetesLedger, space: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "PART_BYTES", 2000)
    lines = some_lines(24)
    for until in (3, 10, 11, 24):
        await ledger.append("r-1", lines[:until])
    held = await ledger.lines("r-1")
    assert held == texts(lines)
    assert verify(held, lines[-1].head) == ()
    parts = maps(space, f"{EVIDENCE}=r-1")
    assert [part["metadata"]["name"] for part in parts] == [f"serinus-r-1-{k}" for k in range(len(parts))]
    assert len(parts) > 2
    assert all(sum(len(span.encode()) for span in part["data"].values()) <= 2000 for part in parts)
    assert "000001-000003" in parts[0]["data"]


async def test_lines_that_another_copied_meanwhile_are_found(ledger: KubernetesLedger, kube: Kube) -> None:
    lines, guard = some_lines(9), KubernetesLedger(kube, "shop")
    await ledger.append("r-1", lines[:3])
    await guard.append("r-1", lines[:6])
    await ledger.append("r-1", lines[6:])
    await ledger.append("r-1", lines[3:])
    assert await guard.lines("r-1") == texts(lines)


async def test_a_line_that_somebody_altered_stops_the_copying_and_is_seen(
    ledger: KubernetesLedger, space: Access
) -> None:
    lines = some_lines(4)
    await ledger.append("r-1", lines[:2])
    (part,) = maps(space, f"{EVIDENCE}=r-1")
    ((key, text),) = part["data"].items()
    altered = [{"op": "replace", "path": f"/data/{key}", "value": text.replace("check", "chuck")}]
    space.kubectl("patch", "configmap", "serinus-r-1-0", "--type=json", f"-p={json.dumps(altered)}")
    with pytest.raises(Refused, match="line 1 is not the one that was recorded"):
        await ledger.append("r-1", lines)
    assert verify(await ledger.lines("r-1"), lines[1].head) != ()


async def test_names_at_their_limit(kube: Kube, space: Access) -> None:
    lines, release = some_lines(2), f"{LONG}-20300101-000000-abcd"
    ledger = KubernetesLedger(kube, LONG)
    kept = await ledger.write(a_record(release=release), None)
    assert await ledger.read() == kept
    await ledger.append(release, lines)
    await ledger.append(f"{release}e", lines[:1])
    assert await ledger.lines(release) == texts(lines)
    assert len(maps(space, f"{SERVICE}={LONG}")) == 3


@pytest.mark.parametrize("release", ["", "R-1", "../r-1", "r_1", "-r", "r" * 201])
async def test_what_is_no_release_s_id_is_refused(ledger: KubernetesLedger, release: str) -> None:
    with pytest.raises(Refused, match="no release's id"):
        await ledger.append(release, some_lines(1))
    with pytest.raises(Refused, match="no release's id"):
        await ledger.lines(release)


async def test_a_write_reads_nothing_first(ledger: KubernetesLedger, space: Access, tmp_path: Path) -> None:
    """Shown by rights: this service account may not read a ConfigMap; list them it may until its first copy is done."""
    ours = {"apiGroups": [""], "resources": ["configmaps"]}
    grant(space, ours | {"verbs": ["create", "patch", "list"]})
    account = await connect(str(space.as_account("engine", tmp_path).kubeconfig))
    lines, blind = some_lines(6), KubernetesLedger(account, "shop")
    kept = await blind.write(a_record(), None)
    await blind.append("r-1", lines[:2])
    grant(space, ours | {"verbs": ["create", "patch"]})
    for beat in range(2, 5):
        kept = await blind.write(replace(a_record(), beat=beat), kept.version)
    await blind.append("r-1", lines[2:5])
    await blind.append("r-1", lines[5:])
    with pytest.raises(
        Refused, match=f"right to get configmaps serinus-shop in namespace {space.namespace} is missing"
    ):
        await blind.read()
    await account.aclose()
    assert await ledger.read() == kept
    assert await ledger.lines("r-1") == texts(lines)


async def test_a_full_quota_is_said_in_the_server_s_words(ledger: KubernetesLedger, space: Access) -> None:
    space.kubectl("create", "quota", "full", "--hard=count/configmaps=0")
    async with asyncio.timeout(20):
        with suppress(Unavailable):  # until the API server holds by it
            while space.kubectl("create", "configmap", "probe", "--dry-run=server"):
                await asyncio.sleep(0.05)
    with pytest.raises(Refused, match="exceeded quota"):
        await ledger.write(a_record(), None)


async def test_in_a_namespace_that_ends_nothing_is_begun(ledger: KubernetesLedger, space: Access) -> None:
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["tests.example/held"]}}
    space.apply(held)
    space.delete()
    with pytest.raises(Refused, match="being terminated"):
        await ledger.write(a_record(), None)
    space.kubectl("patch", "configmap", "held", "--type=merge", '-p={"metadata":{"finalizers":null}}')
