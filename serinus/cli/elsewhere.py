"""Is a service on Kubernetes fit for a release? What preflight finds, and what is left of releases before; for `doctor`, reads only."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from serinus.adapters import KUBERNETES
from serinus.cli.item import Item

if TYPE_CHECKING:
    from serinus.cli.follow import Seen
    from serinus.policy.load import Policy
    from serinus.release.plan import Plan, Target
    from serinus.settings import Folders

GUARD = "serinus-guard"
"""As `deployments/kubernetes/guard` calls it."""
APPLIED = (
    "write namespace and image into deployments/kubernetes/guard/kustomization.yaml and apply it (docs/kubernetes.md)"
)
"""How there comes to be one."""
VERSION = "doctor"
"""Stands for a version that nobody runs: whether one exists only its registry knows."""


async def plans(what: str, folders: Folders, namespace: str, context: str) -> tuple[list[Plan], list[Item]]:
    """What would be released on Kubernetes: by this policy file, as this service, or in this namespace; else by every deployed policy.

    Returns:
        the plans, and an item for each deployed policy that is none

    Raises:
        PolicyError: the one that was named is wrong
        Usage: there is no such service
    """
    from serinus.cli.place import meant
    from serinus.policy.load import read

    if _is_file(what):
        return _planned(read(what), context), []
    if not what and not namespace and not context:
        return _deployed()
    targets = await meant(what, folders, namespace, context)
    afar = {name: target for name, target in targets.items() if target.workload == KUBERNETES}
    found = [await _of_service(name, target, folders) for name, target in afar.items()]
    return [plan for plan in found if plan is not None], []


def _is_file(what: str) -> bool:
    return bool(what) and Path(what).is_file()


def _deployed() -> tuple[list[Plan], list[Item]]:
    from serinus.errors import PolicyError
    from serinus.policy.load import deployed, read

    found: list[Plan] = []
    wrong: list[Item] = []
    for file in deployed():
        try:
            found += _planned(read(file), "")
        except PolicyError as cause:
            wrong.append(Item(f"{file.stem}: policy", str(cause), "mend it: serinus check says where", fatal=False))
    return found, wrong


def _planned(policy: Policy, context: str) -> list[Plan]:
    """None where it is about the local platform."""
    from serinus.policy.load import to_plan

    plan = to_plan(policy, VERSION)
    if plan.target.workload != KUBERNETES:
        return []
    options = {**plan.target.workload_options} | ({"context": context} if context else {})
    return [replace(plan, target=replace(plan.target, workload_options=options))]


async def _of_service(service: str, target: Target, folders: Folders) -> Plan | None:
    """As its policy has it; who has none for that namespace goes by its last release."""
    from serinus.errors import PolicyError
    from serinus.policy.load import by_name, read
    from serinus.release.record import Record
    from serinus.wiring import open_to_ask

    with suppress(PolicyError):
        for plan in _planned(read(by_name(service)), ""):
            if plan.target.workload_options["namespace"] == target.workload_options["namespace"]:
                return replace(plan, target=target)
    async with open_to_ask(service, folders, target) as ports:
        kept = await ports.ledger.read()
    if kept is None or not isinstance(kept.record, Record):
        return None
    return replace(kept.record.plan, version=VERSION, target=target)


async def items(plan: Plan, folders: Folders) -> list[Item]:
    """Everything that was looked at."""
    from serinus.cli.follow import look
    from serinus.errors import PreflightError, SerinusError
    from serinus.moves.preflight import preflight
    from serinus.wiring import open_ports

    service, namespace = plan.service, plan.target.workload_options["namespace"]
    try:
        async with open_ports(service, folders, plan) as ports:
            seen = await look(ports)
            try:
                findings = (await preflight(ports, plan)).notes
            except PreflightError as cause:
                findings = cause.findings
    except SerinusError as cause:
        return [Item(f"{service}: cluster", str(cause), "name another: --context, or KUBECONFIG")]
    told = [Item(f"{service}: {found.where}", found.what, found.mend, found.fatal) for found in findings]
    if not any(item.fatal for item in told):
        told.insert(
            0, Item(f"{service}: namespace {namespace}", "a release could begin: rights, objects, room, figures")
        )
    return [*told, *_going(plan, seen), *await _guarded(plan, folders)]


async def _guarded(plan: Plan, folders: Folders) -> list[Item]:
    """Whether anybody returns the traffic of an engine that dies; nothing where we may not know."""
    from serinus.errors import PlatformError
    from serinus.ground import There, beside
    from serinus.kube.client import DEPLOYMENT

    options = plan.target.workload_options
    namespace, ours = options["namespace"], beside(folders)
    if ours and ours.namespace == namespace:
        return []  # the platform has one of its own
    try:
        async with There(folders, namespace, options.get("context", "")).connected() as kube:
            found = await kube.find(DEPLOYMENT, GUARD)
    except PlatformError:
        return []
    if found and (found.get("status") or {}).get("availableReplicas"):
        return []
    by_hand = plan.target.typed("guard")
    state, mend = f"there is no Deployment {GUARD}", f"{APPLIED}; until then, where one has died: {by_hand}"
    if found:
        state = f"no pod of Deployment {GUARD} is available"
        mend = f"`kubectl -n {namespace} describe deployment {GUARD}` says why (its image? its account?); until then: {by_hand}"
    what = f"{state}: unless a guard runs elsewhere, nobody returns the traffic of an engine that dies"
    return [Item(f"{plan.service}: namespace {namespace}", what, mend, fatal=False)]


def _going(plan: Plan, seen: Seen) -> list[Item]:
    """What the record and the mark say of a release that goes, or has gone."""
    service, typed = plan.service, plan.target.typed
    mark = seen.route.mark if seen.route else None
    if seen.record is not None and not seen.record.ended:
        what = f"{seen.record.release} goes: what is found now may be its doing, and another waits or is refused"
        return [Item(f"{service}: release", what, f"`{typed('status', service)}` shows it", fatal=False)]
    if mark is not None:
        what = f"{mark.release} is over and has left its mark on the route"
        return [Item(f"{service}: leftovers", what, f"`{typed('guard')} --once` clears it")]
    return []
