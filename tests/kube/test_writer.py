"""The last of those who wrote the template and are not we; status and scale are no template."""

from __future__ import annotations

from typing import Any

from serinus.kube.writer import last, of_template


def wrote(manager: str, time: str, *fields: str, **more: Any) -> dict[str, Any]:
    inside: dict[str, Any] = {f"f:{field}": {} for field in fields}
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": {"f:spec": inside}, **more}


def by(*entries: dict[str, Any]) -> str:
    return of_template({"metadata": {"name": "shop", "managedFields": list(entries)}})


def test_the_last_who_wrote_the_template() -> None:
    helm, edit = (
        wrote("helm", "2026-11-24T10:00:00Z", "template"),
        wrote("kubectl-set", "2026-11-24T10:02:03Z", "template"),
    )
    ours = wrote("serinus", "2026-11-24T10:03:00Z", "template")
    scaled = wrote("kubectl", "2026-11-24T10:04:00Z", "replicas")
    assert by(edit, helm, ours, scaled) == "kubectl-set at 2026-11-24T10:02:03Z"


def test_nobody_else_or_nothing_known() -> None:
    assert by(wrote("serinus", "2026-11-24T10:03:00Z", "template")) == ""
    assert of_template({"metadata": {"name": "shop"}}) == ""
    assert by({"manager": "", "fieldsV1": {"f:spec": {"f:template": {}}}}) == "somebody without a name"
    assert by(wrote("manager", "2026-11-24T10:03:00Z", "template", subresource="status")) == ""


def test_an_object_s_last_writer_wrote_whatever_of_it_but_its_status() -> None:
    entries = [
        wrote("kubectl-create", "2026-11-24T10:00:00Z", "routes"),
        {"manager": "kubectl-label", "time": "2026-11-24T10:01:00Z", "fieldsV1": {"f:metadata": {}}},
        wrote("serinus", "2026-11-24T10:02:00Z", "routes"),
        wrote("contour", "2026-11-24T10:03:00Z", "status", subresource="status"),
    ]
    assert last({"metadata": {"managedFields": entries}}) == "kubectl-label at 2026-11-24T10:01:00Z"
    assert last({"metadata": {}}) == ""
