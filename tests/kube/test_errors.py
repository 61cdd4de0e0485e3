from __future__ import annotations

import json

import pytest

from serinus.errors import Conflict, Missing, PlatformError, Refused, Unavailable
from serinus.kube.errors import Doing, refusal, role

PATCH = Doing("patch", "httpproxies.projectcontour.io", "shop", "front", conditional=True)
CAUSES = {"details": {"causes": [{"field": "spec", "message": "must not be empty"}]}}


def a_status(message: str, **more: object) -> bytes:
    return json.dumps({"kind": "Status", "apiVersion": "v1", "message": message, **more}).encode()


@pytest.mark.parametrize(
    ("code", "body", "kind"),
    [
        (409, a_status("the object has been modified"), Conflict),
        (422, a_status("the server rejected our request due to an error in our request"), Conflict),
        (422, a_status("is invalid", **CAUSES), Refused),
        (429, a_status("too many requests"), Unavailable),
        (408, b"", Unavailable),
        (500, a_status("etcdserver: request timed out"), Unavailable),
        (503, b"<html>upstream connect error</html>", Unavailable),
        (504, b"", Unavailable),
        (400, a_status("bad request"), Refused),
        (401, a_status("Unauthorized"), Unavailable),
        (403, a_status("exceeded quota: objects"), Refused),
        (404, a_status('httpproxies.projectcontour.io "front" not found'), Missing),
        (404, b"404 page not found", Refused),
        (404, a_status("the server could not find the requested resource"), Refused),
    ],
)
def test_each_answer_says_what_to_do(code: int, body: bytes, kind: type[PlatformError]) -> None:
    found = refusal(PATCH, code, body)
    assert type(found) is kind
    assert "patch httpproxies.projectcontour.io front in namespace shop" in str(found)


def test_without_a_precondition_422_is_never_a_conflict() -> None:
    assert isinstance(refusal(Doing("patch", "configmaps", "shop", "x"), 422, a_status("rejected")), Refused)


def test_a_missing_right_is_named() -> None:
    said = (
        'httpproxies.projectcontour.io "front" is forbidden: User "system:serviceaccount:shop:serinus" '
        'cannot patch resource "httpproxies" in API group "projectcontour.io" in the namespace "shop"'
    )
    found = refusal(PATCH, 403, a_status(said)).finding("route of shop", "start the router")
    assert found.what.startswith(
        "the right to patch httpproxies.projectcontour.io front in namespace shop is missing: "
    )
    rule = '{apiGroups: ["projectcontour.io"], resources: ["httpproxies"], verbs: ["patch"]}'
    assert found.mend == f"add to our Role: {rule} (deployments/kubernetes has them all)"


@pytest.mark.parametrize(
    ("resource", "rule"),
    [
        ("pods/log", '{apiGroups: [""], resources: ["pods/log"], verbs: ["get"]}'),
        ("deployments.apps/scale", '{apiGroups: ["apps"], resources: ["deployments/scale"], verbs: ["get"]}'),
    ],
)
def test_a_part_of_a_resource_is_granted_by_its_name(resource: str, rule: str) -> None:
    assert rule in role("get", resource)


def test_another_ban_is_no_missing_right() -> None:
    found = str(
        refusal(Doing("create", "configmaps", "shop", "x"), 403, a_status("namespace shop is being terminated"))
    )
    assert "right" not in found
    assert "being terminated" in found
