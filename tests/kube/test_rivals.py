"""Whoever else would release or scale the same Deployment is named; whoever means another one is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from serinus.kube.named import Named
from serinus.kube.rivals import by_argo_rollouts, by_autoscaler, by_flagger, by_releases
from serinus.release.plan import Target
from serinus.release.record import Record, State, to_json
from tests.release.builders import a_release

NAMED = Named("shop", "shop", autoscaler="shop")


def referring(key: str, name: str = "shop", kind: str = "Deployment", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "shop", **metadata}, "spec": {key: {"kind": kind, "name": name}}}


def test_other_tools_for_canaries() -> None:
    (flagger,) = by_flagger([referring("targetRef"), referring("targetRef", "till")], NAMED)
    assert (flagger.fatal, flagger.where) == (True, "Canary shop (Flagger)")
    (argo,) = by_argo_rollouts([referring("workloadRef"), {"metadata": {"name": "own"}, "spec": {}}], NAMED)
    assert (argo.fatal, argo.where) == (True, "Rollout shop (Argo Rollouts)")


def test_autoscalers() -> None:
    assert by_autoscaler([referring("scaleTargetRef")], NAMED) == []
    (unnamed,) = by_autoscaler([referring("scaleTargetRef", name="shop") | {"metadata": {"name": "front"}}], NAMED)
    assert unnamed.mend == "write workload.kubernetes.autoscaler: front"
    owned = [{"kind": "ScaledObject", "name": "front"}]
    (keda,) = by_autoscaler([referring("scaleTargetRef", ownerReferences=owned)], NAMED)
    assert "ScaledObject front puts back the minimum" in keda.what
    (canary,) = by_autoscaler([referring("scaleTargetRef", "shop-canary")], NAMED)
    assert canary.fatal


def kept(record: Record) -> dict[str, Any]:
    return {"metadata": {"name": f"serinus-{record.plan.service}"}, "data": {"record": to_json(record).decode()}}


def test_a_release_of_another_name_on_the_same_deployment() -> None:
    target = Target("kubernetes", "contour", "contour", {"deployment": "shop", "namespace": "prod"})
    record = a_release().record
    live = replace(record, plan=replace(record.plan, service="front", target=target))
    (found,) = by_releases([kept(live), {"metadata": {"name": "x"}, "data": {}}], NAMED, "shop")
    assert found.fatal
    assert "serinus abort front" in found.mend
    assert by_releases([kept(live)], NAMED, "front") == []
    assert by_releases([kept(replace(live, ended=True, state=State.PROMOTED))], NAMED, "shop") == []
    elsewhere = replace(live, plan=replace(live.plan, target=replace(target, workload_options={"deployment": "till"})))
    assert by_releases([kept(elsewhere)], NAMED, "shop") == []
