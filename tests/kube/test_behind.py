"""A Service that is called otherwise than its Deployment is found by its selector and named with the policy's key."""

from __future__ import annotations

from serinus.kube.behind import findings
from tests.kube.test_unasked import a_service

PODS = {"app": "shop", "tier": "web"}


def test_one_that_leads_to_the_pods_is_in_order() -> None:
    shop = a_service("shop", app="shop")
    assert findings("shop", shop, [shop], PODS, "shop") == []


def test_one_without_a_selector_is_judged_elsewhere() -> None:
    assert findings("shop", a_service("shop"), [], PODS, "shop") == []


def test_the_one_that_leads_to_the_pods_is_named_with_its_key() -> None:
    services = [a_service("shop-web", app="shop"), a_service("till", app="till"), a_service("outside")]
    (found,) = findings("shop", None, services, PODS, "shop")
    assert found.fatal
    assert str(found) == (
        "Service shop: it is not there; "
        "name in workload.kubernetes.service shop-web, which selects the pods of Deployment shop"
    )


def test_several_are_all_named() -> None:
    services = [a_service("web", tier="web"), a_service("shop-web", app="shop")]
    (found,) = findings("shop", None, services, PODS, "shop")
    assert "one of shop-web, web, which select the pods" in found.mend


def test_without_any_the_key_alone_is_named() -> None:
    (found,) = findings("shop", None, [], PODS, "shop")
    assert found.mend == "name the one in front of the pods of Deployment shop in workload.kubernetes.service"


def test_one_that_selects_other_pods_is_said_to() -> None:
    shop = a_service("shop", app="till")
    (found,) = findings("shop", shop, [shop, a_service("shop-web", app="shop")], PODS, "shop")
    assert found.what == "selects app=till, which the pods of Deployment shop do not have"
    assert "shop-web" in found.mend
