from __future__ import annotations

import copy
import json
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.errors import Refused
from serinus.kube.backends import shares
from serinus.kube.names import RELEASE
from serinus.kube.patch import Object, Operation
from serinus.kube.split import Form, Split
from serinus.policy.model import Router
from serinus.release.mark import Mark, Mode
from serinus.release.weight import NOTHING, Weight
from serinus.routers.contour import FORM as CONTOUR

GATEWAY = Form(
    *("rules", "backendRefs", "matches"),
    weight=1,
    expected={"group": "", "kind": "Service", "namespace": "n"},
    key="router.gateway-api.route",
)
FORMS = pytest.mark.parametrize("form", [CONTOUR, GATEWAY], ids=["contour", "gateway-api"])
SHOP = "serinus.dev/shop"


def of(form: Form, service: str = "shop") -> Split:
    return Split(form, service, service, f"{service}-canary")


def a_mark(percent: float = 0, mode: Mode = Mode.OPEN, release: str = "r-1", token: int = 1, seq: int = 1) -> Mark:
    return Mark(release, token, seq, mode, Weight.of(percent), "because")


def an_object(form: Form, *rules: list[dict[str, Any]], **metadata: Any) -> Object:
    made = [{form.matches: [{"prefix": f"/{at}"}], form.backends: there} for at, there in enumerate(rules)]
    known = {"name": "front", "namespace": "n", "uid": "u", "resourceVersion": "7", "generation": 3, **metadata}
    return {"kind": "Front", "metadata": known, "spec": {"virtualhost": {"fqdn": "shop.example"}, form.rules: made}}


def patched(seen: Object, operations: list[Operation]) -> Object:
    """As an API server has it: it counts its versions, and keeps no empty map."""
    found: Object = jsonpatch.apply_patch(copy.deepcopy(seen), operations)
    for name in ("annotations", "labels"):
        if not found["metadata"].get(name, True):
            del found["metadata"][name]
    found["metadata"]["resourceVersion"] = str(int(found["metadata"]["resourceVersion"]) + 1)
    found["metadata"]["generation"] += found["spec"] != seen["spec"]
    return found


def marked(split: Split, seen: Object, mark: Mark) -> Object:
    return patched(seen, split.marking(seen, mark, split.route(seen).original, f"w{mark.seq}"))


def put_back(split: Split, seen: Object) -> Object:
    return patched(seen, split.restoring(seen, split.route(seen).original))


def backends(form: Form, seen: Object, rule: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = seen["spec"][form.rules][rule][form.backends]
    return found


BACKEND = st.sampled_from(
    [
        {"name": "files", "port": 80},
        {"name": "files", "port": 80, "weight": 3},
        {"name": "x", "port": 1, "mirror": True},
    ]
)
OURS = st.sampled_from(
    [
        [{"name": "shop", "port": 80}],
        [{"name": "shop", "port": 80, "weight": 1}],
        [
            {"name": "shop", "port": 80, "weight": 100, "protocol": "h2c"},
            {"name": "shop-canary", "port": 81, "weight": 0},
        ],
        [{"name": "x", "port": 1, "mirror": True}, {"name": "shop", "port": 80}],
    ]
)
RULES = st.tuples(st.lists(st.lists(BACKEND, max_size=2), max_size=2), st.lists(OURS, min_size=1, max_size=3)).flatmap(
    lambda both: st.permutations([*both[0], *both[1]])
)
POINTS = st.integers(0, 10_000)


@FORMS
@given(rules=RULES, points=POINTS)
def test_weights_add_up_and_are_read_as_written(form: Form, rules: list[list[dict[str, Any]]], points: int) -> None:
    split, before = of(form), an_object(form, *rules)
    after = marked(split, before, a_mark(points / 100))
    assert split.route(after).weight == Weight(points)
    assert split.route(after).mark == a_mark(points / 100)
    for at, there in enumerate(rules):
        if any(one["name"] == "shop" for one in there):
            weights = [one["weight"] for one in backends(form, after, at) if one["name"].startswith("shop")]
            assert sum(weights) in (100, 10_000)
        else:
            assert backends(form, after, at) == there


@FORMS
@given(rules=RULES, points=st.lists(POINTS, min_size=1, max_size=3))
def test_everything_is_put_back_as_it_was_found(
    form: Form, rules: list[list[dict[str, Any]]], points: list[int]
) -> None:
    split, before = of(form), an_object(form, *rules, annotations={"a": "b"}, labels={"c": "d"})
    now = before
    for seq, wanted in enumerate(points):
        now = marked(split, now, a_mark(wanted / 100, seq=seq))
    after = put_back(split, now)
    assert after["spec"] == before["spec"]
    assert (after["metadata"]["annotations"], after["metadata"]["labels"]) == ({"a": "b"}, {"c": "d"})
    assert split.route(after).original == split.route(before).original


@FORMS
@given(rules=RULES, points=POINTS)
def test_nothing_is_written_that_is_not_tested(form: Form, rules: list[list[dict[str, Any]]], points: int) -> None:
    split = of(form)
    first = marked(split, an_object(form, *rules), a_mark())
    operations = split.marking(first, a_mark(points / 100, seq=2), split.route(first).original, "w2")
    tested = {one["path"]: one["value"] for one in operations if one["op"] == "test"}
    assert {one["path"] for one in operations if one["op"] != "test"} == set(tested)
    assert tested["/metadata/annotations/serinus.dev~1shop"] == first["metadata"]["annotations"][SHOP]


@FORMS
def test_the_first_mark_and_the_last_write_go_by_the_object_s_version(form: Form) -> None:
    split, before = of(form), an_object(form, [{"name": "shop", "port": 80}])
    at = {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}
    assert at in split.marking(before, a_mark(), "[]", "w")
    after = marked(split, before, a_mark())
    assert at | {"value": "8"} in split.restoring(after, "[]")


@FORMS
def test_an_identical_write_is_a_new_version(form: Form) -> None:
    split = of(form)
    first = marked(split, an_object(form, [{"name": "shop", "port": 80}]), a_mark(5))
    second = patched(first, split.marking(first, a_mark(5), split.route(first).original, "again"))
    assert split.route(second).version != split.route(first).version


@FORMS
def test_what_others_do_to_status_or_to_other_rules_is_no_new_version(form: Form) -> None:
    split = of(form)
    first = marked(split, an_object(form, [{"name": "shop", "port": 80}], [{"name": "files", "port": 80}]), a_mark(5))
    second = copy.deepcopy(first)
    second["status"] = {"currentStatus": "valid"}
    second["metadata"] |= {"resourceVersion": "99", "generation": 9, "labels": {"team": "blue", RELEASE: "r-1"}}
    backends(form, second, 1).append({"name": "more", "port": 80})
    assert split.route(second) == split.route(first)


@FORMS
def test_edits_of_others_survive_and_ours_go(form: Form) -> None:
    split = of(form)
    now = marked(split, an_object(form, [{"name": "shop", "port": 80, "weight": 7}]), a_mark(25))
    backends(form, now)[0]["protocol"] = "h2c"
    now["spec"][form.rules].insert(0, {form.matches: [{"prefix": "/new"}], form.backends: [{"name": "new", "port": 1}]})
    after = put_back(split, now)
    assert backends(form, after, 0) == [{"name": "new", "port": 1}]
    assert backends(form, after, 1) == [{"name": "shop", "port": 80, "weight": 7, "protocol": "h2c"}]


@FORMS
def test_a_rule_that_came_meanwhile_is_left_to_stable(form: Form) -> None:
    split = of(form)
    now = marked(split, an_object(form, [{"name": "shop", "port": 80}]), a_mark(25))
    both = [{"name": "shop", "port": 80, "weight": 1}, {"name": "shop-canary", "port": 80, "weight": 1}]
    now["spec"][form.rules].append({form.matches: [{"prefix": "/new"}], form.backends: both})
    assert split.route(now).weight == Weight.of(50)
    after = put_back(split, marked(split, now, a_mark(0, Mode.CLOSED, seq=2)))
    assert backends(form, after, 1) == [{"name": "shop", "port": 80}]


def at_weights(form: Form, mark: Mark, *points: int) -> Object:
    """Marked so, and then each rule given a weight of its own by somebody."""
    now = marked(of(form), an_object(form, *([{"name": "shop", "port": 80}] for _ in points)), mark)
    for rule, canary in enumerate(points):
        there = [{"name": "shop", "port": 80, "weight": 10_000 - canary}]
        there += [{"name": "shop-canary", "port": 80, "weight": canary}]
        now["spec"][form.rules][rule][form.backends] = there
    return now


@FORMS
@given(points=st.lists(st.sampled_from([0, 500, 2500, 10_000]), min_size=1, max_size=3), mode=st.sampled_from(Mode))
def test_a_rule_that_is_not_as_marked_is_seen_and_nothing_is_said_of_no_rule_that_serves(
    form: Form, points: list[int], mode: Mode
) -> None:
    """A close is done where nothing is read: it must never be while one rule still serves."""
    mark = a_mark(0 if mode in (Mode.CLOSED, Mode.REPLACED) else 25, mode)
    weight = of(form).route(at_weights(form, mark, *points)).weight
    assert (weight == mark.weight) is ({*points} == {mark.weight.points})
    assert (weight == NOTHING) is ({*points} == {0})


@FORMS
def test_one_rule_that_somebody_lowers_is_told_by_the_mean_and_one_raised_by_itself(form: Form) -> None:
    split = of(form)
    assert split.route(at_weights(form, a_mark(25), 0, 2500)).weight == Weight.of(12.5)
    assert split.route(at_weights(form, a_mark(25), 0, 5000)).weight == Weight.of(50)
    assert split.route(at_weights(form, a_mark(0), 0, 2500)).weight == Weight.of(25)


@FORMS
def test_a_rule_that_comes_for_stable_alone_lowers_nothing_and_a_canary_taken_out_of_one_does(form: Form) -> None:
    split, stable = of(form), {"name": "shop", "port": 80}
    now = at_weights(form, a_mark(25), 2500, 2500)
    now["spec"][form.rules].append({form.matches: [{"prefix": "/new"}], form.backends: [stable]})
    assert split.route(now).weight == Weight.of(25)
    now["spec"][form.rules][0][form.backends] = [stable]
    assert split.route(now).weight == Weight.of(12.5)


@FORMS
def test_a_close_never_names_a_canary_that_is_not_there(form: Form) -> None:
    split = of(form)
    closed = marked(split, an_object(form, [{"name": "shop", "port": 80}]), a_mark(0, Mode.CLOSED))
    assert backends(form, closed) == [{"name": "shop", "port": 80, "weight": 100}]
    assert split.route(closed).weight == NOTHING


@FORMS
def test_stable_that_was_taken_out_comes_back(form: Form) -> None:
    split = of(form)
    now = marked(split, an_object(form, [{"name": "shop", "port": 80}]), a_mark(25))
    del backends(form, now)[0]
    assert split.route(now).weight == Weight.of(100)
    closed = marked(split, now, a_mark(0, Mode.CLOSED, seq=2))
    assert [(one["name"], one["weight"]) for one in backends(form, closed)] == [("shop", 100), ("shop-canary", 0)]


@FORMS
def test_nothing_by_nothing_is_not_nothing(form: Form) -> None:
    both = [{"name": "shop", "port": 80, "weight": 0}, {"name": "shop-canary", "port": 80, "weight": 0}]
    assert of(form).route(an_object(form, both)).weight == Weight.of(50)


@FORMS
def test_however_little_the_canary_gets_is_seen(form: Form) -> None:
    both = [{"name": "shop", "port": 80, "weight": 999_999}, {"name": "shop-canary", "port": 80, "weight": 1}]
    assert of(form).route(an_object(form, both)).weight == Weight(1)


@FORMS
def test_a_route_without_the_service_is_refused_with_what_would_be_right(form: Form) -> None:
    elsewhere = an_object(form, [{"name": "files", "port": 80}], [{"name": "web"}, {"name": "files"}])
    with pytest.raises(Refused) as refused:
        of(form).route(elsewhere)
    assert refused.value.what == f"Front n/front sends nothing to Service shop: its {form.rules} lead to files, web"
    assert refused.value.mend == (
        "name the right Service in workload.kubernetes.service, "
        f"another Front in {form.key}, or Service shop in one of its {form.rules}"
    )


@FORMS
def test_a_route_that_leads_nowhere_is_refused_with_its_key(form: Form) -> None:
    with pytest.raises(Refused, match=f"lead to no Service; name another Front in {form.key}"):
        of(form).route({**an_object(form), "spec": {}})


@pytest.mark.parametrize(("form", "above", "name"), [(CONTOUR, "contour", "proxy"), (GATEWAY, "gateway_api", "route")])
def test_the_key_is_the_policys(form: Form, above: str, name: str) -> None:
    field = Router.model_fields[above]
    assert form.key == f"router.{field.alias or above}.{name}"


@FORMS
def test_marked_and_with_no_rule_of_the_service_left_it_gives_the_canary_nothing_and_can_be_closed(form: Form) -> None:
    split = of(form)
    now = marked(split, an_object(form, [{"name": "shop", "port": 80}], [{"name": "files", "port": 80}]), a_mark(25))
    del now["spec"][form.rules][0]
    assert (split.route(now).weight, split.route(now).mark) == (NOTHING, a_mark(25))
    closed = marked(split, now, a_mark(0, Mode.CLOSED, seq=2))
    assert put_back(split, closed)["spec"] == now["spec"]


@FORMS
@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"schema":2}', '{"schema":1,"release":"r-1"}', "null"])
def test_a_mark_that_cannot_be_read_is_none(form: Form, text: str) -> None:
    split = of(form)
    seen = an_object(form, [{"name": "shop", "port": 80}], annotations={SHOP: text})
    route = split.route(seen)
    assert route.mark is None
    closed = marked(split, seen, a_mark(0, Mode.CLOSED))
    assert split.route(closed).mark == a_mark(0, Mode.CLOSED)
    assert put_back(split, closed)["spec"] == seen["spec"]


@FORMS
@pytest.mark.parametrize("found", ["", "no JSON", "{}", "[1]", '[{"rule":"?"}]'])
def test_whatever_was_found_the_traffic_goes_to_stable(form: Form, found: str) -> None:
    split = of(form)
    now = marked(split, an_object(form, [{"name": "shop", "port": 80}]), a_mark(25))
    after = patched(now, split.restoring(now, found))
    assert backends(form, after) == [{"name": "shop", "port": 80}]
    assert split.route(after).mark is None


@FORMS
def test_a_canary_that_had_weight_before_any_release_gets_none_afterwards(form: Form) -> None:
    both = [{"name": "shop", "port": 80, "weight": 9}, {"name": "shop-canary", "port": 80, "weight": 1}]
    split = of(form)
    after = put_back(split, marked(split, an_object(form, both), a_mark(0, Mode.CLOSED)))
    assert split.route(after).weight == NOTHING
    assert backends(form, after)[0] == both[0]


def test_a_third_backend_is_named_and_a_mirror_is_none() -> None:
    split = of(CONTOUR)
    third = [{"name": "shop", "port": 80}, {"name": "other", "port": 80}, {"name": "copy", "port": 80, "mirror": True}]
    assert split.others(an_object(CONTOUR, third)) == ("other",)
    for port in (80, 81):
        twice: list[dict[str, Any]] = [{"name": "shop", "port": 80}, {"name": "shop", "port": port}]
        assert split.others(an_object(CONTOUR, twice)) == ("shop",)
    assert split.others(an_object(CONTOUR, [{"name": "shop", "port": 80}], [{"name": "other", "port": 80}])) == ()


def test_a_service_of_another_namespace_or_kind_is_not_ours() -> None:
    split = of(GATEWAY)
    seen = an_object(GATEWAY, [{"name": "shop", "namespace": "else"}, {"name": "shop", "kind": "Bucket"}])
    with pytest.raises(Refused):
        split.route(seen)


@FORMS
def test_two_services_in_one_object_leave_each_other_alone(form: Form) -> None:
    shop, cart = of(form), of(form, "cart")
    before = an_object(form, [{"name": "shop", "port": 80}], [{"name": "cart", "port": 80}])
    now = marked(cart, marked(shop, before, a_mark(5)), a_mark(10, release="r-2"))
    assert (shop.route(now).mark, cart.route(now).mark) == (a_mark(5), a_mark(10, release="r-2"))
    assert now["metadata"]["labels"] == {RELEASE: "r-2"}
    now = put_back(cart, now)
    assert (shop.route(now).weight, cart.route(now).mark) == (Weight.of(5), None)
    assert now["metadata"]["labels"] == {RELEASE: "r-1"}
    now = put_back(shop, now)
    assert now["spec"] == before["spec"]
    assert "labels" not in now["metadata"]


@FORMS
def test_another_release_s_mark_is_replaced_and_what_was_found_is_kept(form: Form) -> None:
    split, before = of(form), an_object(form, [{"name": "shop", "port": 80}])
    left = marked(split, before, a_mark(0, Mode.CLOSED))
    now = marked(split, left, a_mark(0, release="r-2", token=2))
    assert split.route(now).original == split.route(before).original
    assert now["metadata"]["labels"] == {RELEASE: "r-2"}
    assert put_back(split, now)["spec"] == before["spec"]


def test_the_mark_is_one_line_that_a_person_can_read() -> None:
    now = marked(of(CONTOUR), an_object(CONTOUR, [{"name": "shop", "port": 80}]), a_mark(5))
    said = json.loads(now["metadata"]["annotations"][SHOP])
    assert {key: said[key] for key in ("schema", "release", "token", "mode", "weight", "why")} == {
        "schema": 1,
        "release": "r-1",
        "token": 1,
        "mode": "open",
        "weight": 500,
        "why": "because",
    }


@given(points=POINTS)
def test_shares_add_up_and_are_percents_where_they_can_be(points: int) -> None:
    stable, canary = shares(Weight(points))
    assert stable + canary == (100 if points % 100 == 0 else 10_000)
    assert canary * 10_000 == points * (stable + canary)


@FORMS
def test_a_write_is_known_again_by_itself_and_no_other(form: Form) -> None:
    split, seen = of(form), an_object(form, [{"name": "shop", "port": 80}])
    written = patched(seen, split.marking(seen, a_mark(5), split.route(seen).original, "one"))
    assert split.wrote(written, "one")
    assert not split.wrote(written, "two")
    assert not split.wrote(seen, "one")
    for text in ("", "[]", "{", '"one"'):
        spoiled = an_object(form, [{"name": "shop", "port": 80}], annotations={SHOP: text})
        assert not split.wrote(spoiled, "one")
