"""Which services does a verb mean, and where are they: on this machine, where their policy says, or in a namespace that was named?

What is then done there is the verb's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from serinus.cli.failure import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serinus.ground import Here, There
    from serinus.release.plan import Target
    from serinus.settings import Folders

Namespace = Annotated[
    str, typer.Option("--namespace", "-n", help="Where it is released on Kubernetes; the record there says the rest.")
]
Context = Annotated[str, typer.Option("--context", help="Context of the kubeconfig.")]


async def meant(service: str, folders: Folders, namespace: str = "", context: str = "") -> Mapping[str, Target]:
    """Where this service is; without one, all that there are, by name. Of who names no place, first on the Kubernetes that runs here.

    Raises:
        Usage: there is no such service, or none at all
        PlatformError: the cluster does not answer
    """
    from serinus.ground import beside

    ours = None if namespace or context else beside(folders)
    if ours and (found := await _recorded(ours, service)):
        return found
    place = _place(service, folders, namespace, context)
    if not service:
        targets = {name: await place.target(name) for name in sorted(await place.services())}
        if found := {name: target for name, target in targets.items() if target}:
            return found
        raise Usage(_nowhere(ours or place, folders))
    target = await place.target(service)
    if target is not None:
        return {service: target}
    known = sorted(await place.services())
    if not known:
        raise Usage(_nowhere(ours or place, folders, service))
    raise Usage(f"{_called(place, folders)} knows no service {service}; it knows {', '.join(known)}.")


async def _recorded(ours: There, service: str) -> dict[str, Target]:
    """What has a record there: this service, or without one all; in the namespace of the platform's own, else wherever it is.

    Raises:
        Usage: in several others
    """
    from dataclasses import replace

    targets = {}
    for name, namespaces in sorted((await ours.spread()).items()):
        if service not in ("", name):
            continue
        if ours.namespace not in namespaces and len(namespaces) > 1:
            either = " or ".join(sorted(namespaces))
            raise Usage(
                f"{name} has a record in several namespaces: --namespace {either}, with KUBECONFIG={ours.kubeconfig}."
            )
        where = ours.namespace if ours.namespace in namespaces else namespaces[0]
        targets[name] = await replace(ours, namespace=where).target(name)
    return {name: target for name, target in targets.items() if target}


def _place(service: str, folders: Folders, namespace: str, context: str) -> Here | There:
    """Where only a context is named, the namespace is that of the service's policy, if it has one.

    A namespace without any kubeconfig is one of the Kubernetes that runs here.
    """
    from dataclasses import replace

    from serinus.adapters import KUBERNETES
    from serinus.errors import PolicyError
    from serinus.ground import beside, ground
    from serinus.wiring import target_of

    if service and context and not namespace:
        try:
            planned = target_of(service, folders)
        except PolicyError:
            return ground(folders, "", context)
        if planned.workload == KUBERNETES:
            namespace = planned.workload_options["namespace"]
    if namespace and not context and (ours := beside(folders)):
        from serinus.kube import connecting

        if not connecting.known():
            return replace(ours, namespace=namespace)
    return ground(folders, namespace, context)


def _called(place: Here | There, folders: Folders) -> str:
    from serinus.ground import There

    if not isinstance(place, There):
        return str(folders.state)
    return f"namespace {place.namespace}" if place.namespace else "our own namespace"


def _nowhere(place: Here | There, folders: Folders, service: str = "") -> str:
    from serinus.ground import There

    what = f"service {service}, nor any other" if service else "service"
    where = _called(place, folders)
    if isinstance(place, There):
        return (
            f"{where} has no record of a release of {service}." if service else f"{where} has no record of a release."
        )
    return (
        f"{where} knows no {what}. `serinus local up` starts a platform with one; SERINUS_STATE names another folder,"
        " --namespace one of Kubernetes."
    )
