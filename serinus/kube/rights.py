"""Which rights does a release need, and which of them are missing here? Asked of the API server itself; nothing is tried.

The route's own write is tried whole by its router (`rehearse_close`); what is only looked at before a release is `surroundings`' part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from serinus.errors import Finding
from serinus.kube.again import again
from serinus.kube.autoscaler import AUTOSCALER
from serinus.kube.client import CONFIG_MAP, DEPLOYMENT, POD, SERVICE, Kind
from serinus.kube.errors import role
from serinus.kube.missed import BUDGET
from serinus.kube.named import Named, Routed
from serinus.kube.names import canary_name
from serinus.kube.rules import Rules
from serinus.kube.telling import EVENT


@dataclass(frozen=True, slots=True)
class Right:
    """One right.

    Args:
        without: what cannot be done
        name: of the object that it is about; empty where RBAC cannot tell them apart
        part: subresource
        fatal: no release without it
    """

    verb: str
    kind: Kind
    without: str
    name: str = ""
    part: str = ""
    fatal: bool = True

    @property
    def resource(self) -> str:
        return f"{self.kind.resource}/{self.part}" if self.part else self.kind.resource

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f" {self.name}" if self.name else "")


def needed(named: Named) -> tuple[Right, ...]:
    """Of every release of this service; the autoscaler's only where it has one is not known here, so they come last."""
    stable, canary = named.deployment, named.canary
    record = "neither record nor evidence could be kept"
    rights = [
        Right("get", DEPLOYMENT, "stable cannot be read", stable),
        Right("patch", DEPLOYMENT, "stable could not be promoted", stable),
        Right("create", DEPLOYMENT, "no canary could be made"),
        Right("get", DEPLOYMENT, "the canary could not be read", canary),
        Right("patch", DEPLOYMENT, "the canary could not be scaled", canary),
        Right("delete", DEPLOYMENT, "the canary could not be taken away", canary),
        *(Right(verb, DEPLOYMENT, "both could not be watched") for verb in ("list", "watch")),
        *(Right(verb, POD, "whether pods are ready could not be seen") for verb in ("list", "watch")),
        *(Right(verb, CONFIG_MAP, record) for verb in ("get", "list", "watch", "create", "patch")),
        Right("get", AUTOSCALER, "stable's autoscaler could not be kept up", named.autoscaler or stable),
        Right("patch", AUTOSCALER, "stable's autoscaler could not be kept up", named.autoscaler or stable),
        Right("get", POD, "why a pod fails would be said without its last lines", part="log", fatal=False),
        *(
            Right(verb, BUDGET, "a drained node may take all of the canary at once", fatal=False)
            for verb in ("create", "delete")
        ),
        Right("create", EVENT, "`kubectl describe` would show nothing of a release", fatal=False),
    ]
    if not named.service:
        return tuple(rights)
    beside = canary_name(named.service)
    return (
        *rights,
        Right("get", SERVICE, "stable's Service cannot be read", named.service),
        Right("create", SERVICE, "the canary would have no Service"),
        *(
            Right(verb, SERVICE, "the canary's Service could not be kept", beside)
            for verb in ("get", "patch", "delete")
        ),
    )


def watching(routed: Routed) -> tuple[Right, ...]:
    """Of a release whose traffic an object splits."""
    without = "an edit of the route would be seen later, and route and record would be read at every tick"
    return tuple(Right(verb, routed.kind, without, routed.name, fatal=False) for verb in ("list", "watch"))


async def missing(rules: Rules, rights: Iterable[Right]) -> list[Finding]:
    """A finding for each that we do not have; all are asked at once."""

    async def asked(right: Right) -> Finding | None:
        if await again(partial(rules.may, right.verb, right.kind, right.name, right.part)):
            return None
        what = f"the right to {right} is missing: {right.without}"
        return Finding(what, f"namespace {rules.kube.namespace}", role(right.verb, right.resource), right.fatal)

    return [found for found in await asyncio.gather(*map(asked, rights)) if found]
