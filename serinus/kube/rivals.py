"""Who else acts on the same Deployment: another release, another tool for canaries, an autoscaler that nobody told us of? Pure.

Source: Flagger, `flagger.app/v1beta1` Canary; Argo Rollouts, `argoproj.io/v1alpha1` Rollout, workloadRef; KEDA, ScaledObject.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from serinus.errors import Finding
from serinus.kube.client import Kind
from serinus.kube.named import Named
from serinus.kube.patch import Object
from serinus.release.record import Record, from_json

FLAGGER = Kind("flagger.app", "v1beta1", "canaries", "Canary")
ROLLOUT = Kind("argoproj.io", "v1alpha1", "rollouts", "Rollout")


def by_flagger(found: Sequence[Object], named: Named) -> list[Finding]:
    """Its Canaries of this Deployment."""
    what = f"Flagger releases {named.deployment} too: it keeps the Deployment at 0 replicas and writes the route itself"
    mend = "let one of the two release it; Flagger gives it back where spec.revertOnDeletion is true and the Canary is deleted"
    return [
        Finding(what, f"{FLAGGER.name} {one['metadata']['name']} (Flagger)", mend)
        for one in found
        if _is(_spec(one).get("targetRef"), named.deployment)
    ]


def by_argo_rollouts(found: Sequence[Object], named: Named) -> list[Finding]:
    """Its Rollouts that take this Deployment's template."""
    what = f"Argo Rollouts runs the pods of {named.deployment} itself and scales the Deployment down"
    mend = "let one of the two release it: delete the Rollout once the Deployment has its replicas again"
    return [
        Finding(what, f"{ROLLOUT.name} {one['metadata']['name']} (Argo Rollouts)", mend)
        for one in found
        if _is(_spec(one).get("workloadRef"), named.deployment)
    ]


def by_autoscaler(found: Sequence[Object], named: Named) -> list[Finding]:
    """HorizontalPodAutoscalers that would work against a release."""
    return [finding for one in found for finding in _scaling(one, named)]


def _scaling(one: Object, named: Named) -> Iterator[Finding]:
    name, target = one["metadata"]["name"], _spec(one).get("scaleTargetRef")
    where = f"HorizontalPodAutoscaler {name}"
    if _is(target, named.canary):
        what = f"scales {named.canary}, whose pods go by the release's weight"
        yield Finding(what, where, "delete it: the canary has as many pods as its weight needs")
    if not _is(target, named.deployment):
        return
    keeps = (owner["name"] for owner in one["metadata"].get("ownerReferences") or () if owner["kind"] == "ScaledObject")
    if name != named.autoscaler:
        what = "takes pods of stable away while the canary has their traffic: the policy does not name it"
        yield Finding(what, where, f"write workload.kubernetes.autoscaler: {name}", fatal=False)
    elif keda := next(keeps, ""):
        what = f"KEDA's ScaledObject {keda} puts back the minimum that keeps stable's pods while the canary has their traffic"
        yield Finding(what, where, f"raise minReplicaCount of {keda} to stable's replicas for the release", fatal=False)


def by_releases(records: Sequence[Object], named: Named, service: str) -> list[Finding]:
    """Releases that go, of other services by their name, on the same Deployment."""
    return [
        Finding(
            f"{record.release} of service {record.plan.service} goes on the same Deployment",
            f"Deployment {named.deployment}",
            f"wait for its end, or: {record.plan.target.typed('abort', record.plan.service)}; give it one policy alone",
        )
        for record in map(_record, records)
        if record and not record.ended and record.plan.service != service and _same(record, named)
    ]


def _record(found: Object) -> Record | None:
    try:
        record = from_json((found.get("data") or {})["record"].encode())
    except (KeyError, ValueError):
        return None
    return record if isinstance(record, Record) else None


def _same(record: Record, named: Named) -> bool:
    return record.plan.target.workload_options.get("deployment") == named.deployment


def _spec(found: Object) -> dict[str, Any]:
    return found.get("spec") or {}


def _is(target: Any, deployment: str) -> bool:
    return isinstance(target, dict) and (target.get("kind"), target.get("name")) == ("Deployment", deployment)
