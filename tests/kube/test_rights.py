"""The Roles in `deployments/kubernetes` have each right that a release needs or looks with, and no other."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from serinus.kube import missed, quota, rivals
from serinus.kube.autoscaler import AUTOSCALER
from serinus.kube.client import SERVICE, Kind
from serinus.kube.errors import role
from serinus.kube.named import Named, Routed
from serinus.kube.rights import Right, needed, watching
from serinus.kube.surroundings import Surroundings
from serinus.routers import contour, gateway_api
from tests.kube.test_client import a_server

MANIFESTS = Path(__file__).parents[2] / "deployments" / "kubernetes"
ROUTES = {"contour": contour.HTTP_PROXY, "gateway-api": gateway_api.HTTP_ROUTE}
LOOKED_AT = (
    *missed.SELECTING,
    missed.SERVICE_MONITOR,
    AUTOSCALER,
    SERVICE,
    quota.QUOTA,
    rivals.FLAGGER,
    rivals.ROLLOUT,
)


def rules_of(file: str) -> list[dict[str, Any]]:
    role = next(YAML(typ="safe").load_all((MANIFESTS / file).read_text()))
    return list(role["rules"])


def given(rules: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {one for rule in rules for one in product(rule["apiGroups"], rule["resources"], rule["verbs"])}


def asked(rights: Iterable[Right]) -> set[tuple[str, str, str]]:
    return {
        (right.kind.group, f"{right.kind.plural}/{right.part}" if right.part else right.kind.plural, right.verb)
        for right in rights
    }


def test_the_role_is_what_is_asked_for() -> None:
    listed = {(kind.group, kind.plural, "list") for kind in LOOKED_AT}
    assert given(rules_of("base/release.yaml")) == asked(needed(Named("shop", "shop"))) | listed


@pytest.mark.parametrize(("router", "kind"), ROUTES.items())
def test_the_route_s_role_is_what_is_tried_and_what_is_asked_for(router: str, kind: Kind) -> None:
    tried = {(kind.group, kind.plural, verb) for verb in ("get", "patch")}
    assert given(rules_of(f"{router}/route.yaml")) == tried | asked(watching(Routed(kind, "front", "")))


@pytest.mark.parametrize("kind", ROUTES.values(), ids=ROUTES)
async def test_a_route_that_cannot_be_watched_is_found_with_the_line_of_a_role_and_keeps_no_release_back(
    kind: Kind, tmp_path: Path
) -> None:
    """Record and route are then read at every tick, and an edit of somebody else's is seen as late."""

    def answer(request: str) -> tuple[int, bytes]:
        every = {"incomplete": False, "resourceRules": rules_of("base/release.yaml")}
        return 201, json.dumps({"status": every if "selfsubjectrulesreviews" in request else {}}).encode()

    async with a_server(answer, tmp_path) as kube:
        around = Surroundings(kube, Named("shop", "shop"), "shop", Routed(kind, "front", ""))
        found = (await around.look(None, 1)).findings
    assert [(one.what.partition(" is missing")[0], one.fatal) for one in found] == [
        (f"the right to {verb} {kind.resource} front", False) for verb in ("list", "watch")
    ]
    assert [one.mend for one in found] == [role(verb, kind.resource) for verb in ("list", "watch")]


def test_without_a_service_of_its_own_a_canary_needs_no_right_to_one() -> None:
    assert not [right for right in needed(Named("shop", "")) if right.kind is SERVICE]
