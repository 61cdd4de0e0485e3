"""A right that the server's own list of rules gives is not asked for again, and only its word for this very right is a no."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serinus.errors import Unavailable
from serinus.kube.autoscaler import AUTOSCALER
from serinus.kube.client import CONFIG_MAP, DEPLOYMENT, POD
from serinus.kube.rights import Right, missing
from serinus.kube.rules import Rules, allowed
from tests.kube.test_client import Answer, a_server

RULES, ONE = "selfsubjectrulesreviews", "selfsubjectaccessreviews"


def a_rule(verbs: str, groups: str, resources: str, *names: str) -> dict[str, Any]:
    said = {"verbs": verbs.split(), "apiGroups": groups.split(","), "resources": resources.split()}
    return said | ({"resourceNames": list(names)} if names else {})


@pytest.mark.parametrize(
    ("rule", "verb", "name", "part", "given"),
    [
        (a_rule("get list", "", "pods configmaps"), "list", "", "", True),
        (a_rule("get", "", "pods"), "list", "", "", False),
        (a_rule("get", "apps", "pods"), "get", "", "", False),
        (a_rule("get", "apps,", "pods"), "get", "", "", True),
        (a_rule("*", "*", "*"), "get", "a", "log", True),
        (a_rule("get", "", "pods"), "get", "", "log", False),
        (a_rule("get", "", "pods/log"), "get", "", "log", True),
        (a_rule("get", "", "pods/log"), "get", "", "", False),
        (a_rule("get", "", "*/log"), "get", "a", "log", True),
        (a_rule("get", "", "pods", "a", "b"), "get", "b", "", True),
        (a_rule("get", "", "pods", "a", "b"), "get", "c", "", False),
        (a_rule("get", "", "pods", "a", "b"), "get", "", "", False),
        ({}, "get", "", "", False),
    ],
)
def test_a_rule_gives_what_rbac_says_that_it_gives(
    rule: dict[str, Any], verb: str, name: str, part: str, given: bool
) -> None:
    assert allowed([rule], verb, POD, name, part) is given
    assert allowed([{}, rule], verb, POD, name, part) is given


def answering(asked: list[str], status: dict[str, Any] | int, *, allows: bool = False) -> Answer:
    """An API server that names these rules, or refuses to; and says this of every single right."""

    def answer(request: str) -> tuple[int, bytes]:
        asked.append(RULES if RULES in request else ONE)
        if RULES not in request:
            return 201, json.dumps({"status": {"allowed": allows}}).encode()
        return (status, b"{}") if isinstance(status, int) else (201, json.dumps({"status": status}).encode())

    return answer


EVERY = [a_rule("*", "apps", "deployments"), a_rule("get", "", "configmaps")]
RIGHTS = (
    Right("patch", DEPLOYMENT, "it could not be promoted", "shop"),
    Right("get", CONFIG_MAP, "it could not be read"),
    Right("get", AUTOSCALER, "it could not be kept up", fatal=False),
)


async def test_only_what_the_rules_do_not_give_is_asked_for_alone(tmp_path: Path) -> None:
    asked: list[str] = []
    async with a_server(answering(asked, {"incomplete": False, "resourceRules": EVERY}), tmp_path) as kube:
        rules = await Rules.read(kube)
        assert await missing(rules, RIGHTS[:2]) == []
        assert asked == [RULES]
        (found,) = await missing(rules, RIGHTS)
    assert asked == [RULES, ONE]
    assert "the right to get horizontalpodautoscalers.autoscaling is missing" in found.what
    assert not found.fatal


@pytest.mark.parametrize(
    "status",
    [{"incomplete": True, "resourceRules": EVERY}, {}, {"incomplete": False}, 403, 404],
    ids=["incomplete", "empty", "no rules", "refused", "unknown"],
)
async def test_a_server_that_cannot_name_all_rules_is_asked_for_each_right(
    status: dict[str, Any] | int, tmp_path: Path
) -> None:
    for allows, lacking in ((True, 0), (False, len(RIGHTS))):
        asked: list[str] = []
        async with a_server(answering(asked, status, allows=allows), tmp_path) as kube:
            assert len(await missing(await Rules.read(kube), RIGHTS)) == lacking
        assert asked == [RULES, *[ONE] * len(RIGHTS)]


async def test_a_server_that_does_not_answer_has_said_nothing_of_rights(tmp_path: Path) -> None:
    async with a_server(answering([], 503), tmp_path) as kube:
        with pytest.raises(Unavailable, match="create selfsubjectrulesreviews"):
            await Rules.read(kube)
