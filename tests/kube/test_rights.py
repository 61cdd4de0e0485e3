"""The Role in `deployments/kubernetes` has each right that a release needs or looks with, and no other."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from serinus.kube import missed, quota, rivals
from serinus.kube.autoscaler import AUTOSCALER
from serinus.kube.client import SERVICE
from serinus.kube.named import Named
from serinus.kube.rights import needed

FILE = Path(__file__).parents[2] / "deployments" / "kubernetes" / "base" / "release.yaml"
LOOKED_AT = (
    *missed.SELECTING,
    missed.SERVICE_MONITOR,
    AUTOSCALER,
    SERVICE,
    quota.QUOTA,
    rivals.FLAGGER,
    rivals.ROLLOUT,
)


def test_the_role_is_what_is_asked_for() -> None:
    role: dict[str, Any] = next(YAML(typ="safe").load_all(FILE.read_text()))
    given = {
        (group, resource, verb)
        for rule in role["rules"]
        for group, resource, verb in product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }
    asked = {
        (right.kind.group, f"{right.kind.plural}/{right.part}" if right.part else right.kind.plural, right.verb)
        for right in needed(Named("shop", "shop"))
    }
    assert given == asked | {(kind.group, kind.plural, "list") for kind in LOOKED_AT}


def test_without_a_service_of_its_own_a_canary_needs_no_right_to_one() -> None:
    assert not [right for right in needed(Named("shop", "")) if right.kind is SERVICE]
