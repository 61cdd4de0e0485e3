"""Is every call of a service account in the log, once, as what it was?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from serinus.errors import Unavailable
from serinus.local.cluster import audit
from serinus.local.cluster.audit import Call, calls
from tests.cluster.access import Access


def an_event(number: int, verb: str, uri: str, about: Mapping[str, str], **more: Any) -> str:
    whole = {
        "auditID": str(number),
        "stage": "ResponseComplete",
        "verb": verb,
        "requestURI": uri,
        "user": {"username": "system:serviceaccount:shop:serinus"},
        "objectRef": about,
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": f"2026-11-24T17:16:{number:02d}.218284Z",
    }
    return json.dumps(whole | more) + "\n"


def seen(log: Path) -> list[tuple[str, str, str, bool, int]]:
    return [
        (one.verb, one.resource, one.name, one.selected, one.code)
        for one in calls(log, account="serinus", namespace="shop")
    ]


def test_calls_are_told_apart_as_rbac_does(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    pods, uri = {"resource": "pods"}, "/api/v1/namespaces/shop/pods"
    deployment = {"resource": "deployments", "apiGroup": "apps", "name": "shop"}
    log.write_text(
        an_event(3, "patch", "/apis/apps/v1/...", deployment | {"subresource": "scale"}, responseStatus={"code": 409})
        + an_event(1, "list", f"{uri}?labelSelector=app%3Dshop&limit=500", pods)
        + an_event(2, "list", f"{uri}?labelSelector=&limit=500", pods)
        + an_event(4, "list", uri, pods, user={"username": "system:serviceaccount:other:serinus"})
    )
    assert seen(log) == [
        ("list", "pods", "", True, 200),
        ("list", "pods", "", False, 200),
        ("patch", "deployments.apps/scale", "shop", True, 409),
    ]


def test_a_watch_is_one_call_whether_it_has_ended_or_not(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    uri = "/api/v1/namespaces/shop/configmaps?fieldSelector=metadata.name%3Drecord&watch=1"
    about = {"resource": "configmaps", "name": "record"}
    begun, ended = (
        (an_event(n, "watch", uri, about, stage="ResponseStarted") for n in (1, 2)),
        an_event(1, "watch", uri, about),
    )
    log.write_text("".join(begun) + ended)
    assert [code for *_, code in seen(log)] == [200, 0]
    with log.open("a") as file:
        file.write('{"auditID": "3", "sta')  # what is still being written
    assert len(seen(log)) == 2


def test_what_is_only_tried_is_told_apart(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    uri, route = (
        "/apis/projectcontour.io/v1/namespaces/shop/httpproxies/front",
        {"resource": "httpproxies", "name": "front"},
    )
    log.write_text(an_event(1, "patch", f"{uri}?dryRun=All", route) + an_event(2, "patch", uri, route))
    assert [one.tried for one in calls(log, account="serinus", namespace="shop")] == [True, False]


@pytest.mark.cluster
def test_a_cluster_keeps_what_an_account_asks_and_nothing_of_its_own_parts(space: Access, tmp_path: Path) -> None:
    space.kubectl("create", "serviceaccount", "asking")
    account = space.as_account("asking", tmp_path)
    with pytest.raises(Unavailable, match="forbidden"):
        account.kubectl("get", "pods", "--selector=app=shop")
    log = space.cluster.log(audit.LOG)
    found = [call for call in calls(log, "asking", space.namespace) if call.resource]
    assert found == [Call(found[0].user, "list", "pods", space.namespace, "", True, 403, found[0].began)]
    users = {json.loads(line)["user"]["username"] for line in log.read_text().splitlines()}
    assert all(user.startswith("system:serviceaccount:") for user in users)
