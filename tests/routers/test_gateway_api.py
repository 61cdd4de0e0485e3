from __future__ import annotations

from typing import Any

import pytest

from serinus.kube.split_router import Word
from serinus.routers.gateway_api import word

GW = {"name": "gw", "namespace": "infra"}


def said_by(parent: dict[str, Any], conditions: dict[str, str], generation: int = 4) -> dict[str, Any]:
    """A parent's status; by condition: empty where it is met, else why not."""
    told = [
        {
            "type": kind,
            "status": "False" if why else "True",
            "reason": "Wrong" if why else kind,
            "message": why,
            "observedGeneration": generation,
        }
        for kind, why in conditions.items()
    ]
    return {"parentRef": parent, "controllerName": "x/y", "conditions": told}


def a_route(*parents: dict[str, Any], refs: tuple[dict[str, Any], ...] = (GW,)) -> dict[str, Any]:
    metadata = {"name": "front", "namespace": "n", "generation": 4}
    return {"metadata": metadata, "spec": {"parentRefs": list(refs)}, "status": {"parents": list(parents)}}


WELL = {"Accepted": "", "ResolvedRefs": ""}
OWN, OWN_SPELT_OUT = {"name": "own"}, {"name": "own", "namespace": "n", "kind": "Gateway"}


@pytest.mark.parametrize(
    ("route", "said"),
    [
        (a_route(), Word(seen=False)),
        (a_route(said_by(GW, {})), Word(seen=False)),
        (a_route(said_by(GW, WELL)), Word(seen=True)),
        (a_route(said_by(GW, WELL, 3)), Word(seen=False)),
        (a_route(said_by(GW, WELL), said_by(OWN, WELL, 3), refs=(GW, OWN)), Word(seen=False)),
        (a_route(said_by(GW, WELL), said_by({"name": "gone"}, WELL, 1)), Word(seen=True)),
        (a_route(said_by(OWN_SPELT_OUT, WELL), refs=(OWN,)), Word(seen=True)),
        (a_route(said_by(GW, WELL | {"ResolvedRefs": "no shop"})), Word(True, "Wrong: no shop")),
        (a_route(said_by(GW, WELL | {"Accepted": "no listener"})), Word(True, "Wrong: no listener")),
        (a_route(said_by(GW, {"Accepted": "no listener"}, 3)), Word(seen=False)),
        (a_route(said_by(GW, WELL | {"Odd": "whatever"})), Word(seen=True)),
    ],
)
def test_the_gateways_word(route: dict[str, Any], said: Word) -> None:
    assert word(route) == said
