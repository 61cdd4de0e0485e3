"""A process is given what its pod says, and is told what of it is not there."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from serinus.local.cluster.node import volumes
from serinus.local.cluster.node.command import owner, prepared
from serinus.local.cluster.node.environment import (
    CreateContainerConfigError,
    FailedMount,
    decoded,
    environment,
    expanded,
    files,
    quantity,
    relocated,
    sources_of_environment,
    sources_of_volumes,
)
from serinus.local.cluster.node.images import pull
from tests.cluster.node.builders import SHOP, a_pod

IP = "10.244.0.7"
SOURCES = {
    ("configmaps", "conf"): {"greeting": b"hello", "level": b"3"},
    ("secrets", "key"): {"token": b"s3cret"},
    ("configmaps", "gone"): None,
}


def with_env(*env: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**SHOP, "env": list(env), **more}


def by_field(path: str) -> dict[str, Any]:
    return {"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}


def by_key(name: str, key: str, **more: Any) -> dict[str, Any]:
    return {"name": "X", "valueFrom": {"configMapKeyRef": {"name": name, "key": key, **more}}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "shop-5d8-x2x"),
        ("metadata.namespace", "shop-test"),
        ("metadata.labels['app']", "shop"),
        ("metadata.annotations['team']", "a"),
        ("metadata.annotations['other']", ""),
        ("status.podIP", IP),
        ("spec.nodeName", "rig"),
    ],
)
def test_fields_of_the_pod(path: str, value: str) -> None:
    assert environment(with_env(by_field(path)), a_pod(), IP, {}) == {"X": value}


def test_later_ones_win_and_may_use_earlier_ones() -> None:
    container = with_env(
        {"name": "greeting", "value": "hi"},
        {"name": "LONG", "value": "$(greeting) $(UNKNOWN) $$(greeting)"},
        envFrom=[{"configMapRef": {"name": "conf"}}, {"secretRef": {"name": "key"}, "prefix": "KEY_"}],
    )
    assert sources_of_environment(container) == {("configmaps", "conf"), ("secrets", "key")}
    assert environment(container, a_pod(), IP, SOURCES) == {
        "greeting": "hi",
        "level": "3",
        "KEY_token": "s3cret",
        "LONG": "hi $(UNKNOWN) $(greeting)",
    }


@pytest.mark.parametrize(
    ("env", "words"),
    [
        (by_key("gone", "a"), 'configmap "gone" not found'),
        (by_key("conf", "other"), "couldn't find key other in configmap conf"),
        (by_field("status.hostIP"), "no such field"),
    ],
)
def test_what_is_not_there_is_said(env: dict[str, Any], words: str) -> None:
    with pytest.raises(CreateContainerConfigError, match=words):
        environment(with_env(env), a_pod(), IP, SOURCES)


def test_what_is_optional_may_be_missing() -> None:
    assert environment(with_env(by_key("gone", "a", optional=True)), a_pod(), IP, SOURCES) == {}
    whole = {**SHOP, "envFrom": [{"configMapRef": {"name": "gone", "optional": True}}]}
    assert environment(whole, a_pod(), IP, SOURCES) == {}


def test_secrets_and_binary_data_are_decoded() -> None:
    encoded = base64.b64encode(b"\xff\x00").decode()
    assert decoded("secrets", {"data": {"a": encoded}}) == {"a": b"\xff\x00"}
    assert decoded("configmaps", {"data": {"a": "é"}, "binaryData": {"b": encoded}}) == {
        "a": "é".encode(),
        "b": b"\xff\x00",
    }
    assert decoded("configmaps", {}) == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/etc/conf/a.json", "/node/conf/a.json"),
        ("--file=/etc/conf", "--file=/node/conf"),
        ("cat /etc/conf/a /etc/conf/deep/b", "cat /node/conf/a /node/deep/b"),
        ("/etc/config/a", "/etc/config/a"),
        ("/srv/etc/conf/a", "/srv/etc/conf/a"),
    ],
)
def test_paths_lead_to_where_the_files_are(text: str, found: str) -> None:
    mounts = {"/etc/conf": Path("/node/conf"), "/etc/conf/deep": Path("/node/deep")}
    assert relocated(text, mounts) == found


def test_expansion_of_a_name_that_is_not_there() -> None:
    assert expanded("$(A) $B ${A} $$", {"A": "a"}) == "a $B ${A} $"


VOLUME = {"name": "conf", "configMap": {"name": "conf"}}


def test_volumes_are_written_and_follow_their_source(tmp_path: Path) -> None:
    pod = a_pod(volumes=[VOLUME, {"name": "scratch", "emptyDir": {}}])
    assert sources_of_volumes(pod) == {("configmaps", "conf")}
    volumes.write(pod, IP, tmp_path, SOURCES)
    assert (tmp_path / "conf" / "greeting").read_text() == "hello"
    (tmp_path / "scratch" / "mine").touch()
    volumes.write(pod, IP, tmp_path, {("configmaps", "conf"): {"greeting": b"bye"}})
    assert [path.read_text() for path in (tmp_path / "conf").iterdir()] == ["bye"]
    assert (tmp_path / "scratch" / "mine").exists()


def test_chosen_and_projected_keys() -> None:
    pod = a_pod()
    chosen = {"name": "v", "secret": {"secretName": "key", "items": [{"key": "token", "path": "a/t"}]}}
    assert files(chosen, pod, IP, SOURCES) == {"a/t": b"s3cret"}
    labels = {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}
    both = {"name": "v", "projected": {"sources": [{"configMap": {"name": "conf"}}, labels]}}
    assert files(both, pod, IP, SOURCES) == {**SOURCES["configmaps", "conf"], "labels": b'app="shop"'}  # type: ignore[dict-item]
    assert sources_of_volumes(a_pod(volumes=[both, chosen])) == {("configmaps", "conf"), ("secrets", "key")}


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        ({"configMap": {"name": "gone"}}, 'configmap "gone" not found'),
        ({"configMap": {"name": "conf", "items": [{"key": "b", "path": "b"}]}}, "non-existent config key: b"),
        ({"persistentVolumeClaim": {"claimName": "c"}}, "there is no persistentVolumeClaim here"),
    ],
)
def test_what_cannot_be_mounted(volume: dict[str, Any], words: str) -> None:
    with pytest.raises(FailedMount, match=words):
        files({"name": "v", **volume}, a_pod(), IP, SOURCES)


def run(container: dict[str, Any], image: str = "shop:v2") -> tuple[str, ...]:
    mounts = {"/etc/conf": Path("/node/conf")}
    return prepared(container, a_pod(), IP, pull(image, {}), mounts, SOURCES, Path("/node/faults.json")).words


def test_the_demo_service_is_told_who_it_is() -> None:
    words = run({**SHOP, "ports": [{"containerPort": 8080}, {"containerPort": 9000}], "args": ["--faults=/etc/conf/f"]})
    told = " ".join(words[1:])
    assert told.startswith("-m serinus.local.shop --service shop --pod shop-5d8-x2x --arm shop-canary --version v2")
    assert told.endswith("--port 8080 9000 --faults=/node/conf/f")
    assert f"--address {IP}" in told
    assert run(SHOP)[-1] == "8080"


def test_a_command_replaces_what_the_image_runs() -> None:
    container = with_env({"name": "A", "value": "/etc/conf/a"}, command=["cat", "$(A)"], args=["/etc/conf"])
    assert run(container) == ("cat", "/node/conf/a", "/node/conf")
    assert run({**SHOP, "args": ["ignored"]}, "pause:3.10") == ()
    assert run({**SHOP, "args": ["cat", "/etc/conf/f"]}, "busybox:1.36") == ("cat", "/node/conf/f"), (
        "it has no entrypoint"
    )
    assert run(SHOP, "busybox:1.36") == ()


def test_whose_pod_it_is() -> None:
    assert owner(a_pod()) == "shop-canary"
    bare = a_pod()
    del bare["metadata"]["ownerReferences"]
    assert owner(bare) == "shop-5d8-x2x"


@pytest.mark.parametrize(("text", "found"), [("64Mi", 64 << 20), ("1.5Gi", 3 << 29), ("1000", 1000), ("2k", 2000)])
def test_quantities(text: str, found: int) -> None:
    assert quantity(text) == found


def test_what_is_mounted_below_run_is_really_there() -> None:
    token = {"serviceAccountToken": {"path": "token", "audience": "vault"}}
    volume = {"name": "v", "projected": {"sources": [token]}}
    assert sources_of_volumes(a_pod(volumes=[volume])) == {("tokens", "vault")}
    assert files(volume, a_pod(), IP, {("tokens", "vault"): {"token": b"t"}}) == {"token": b"t"}
    path = "/var/run/secrets/kubernetes.io/serviceaccount"
    container = {**SHOP, "command": ["id"]}
    words = prepared(container, a_pod(), IP, pull("shop:v1", {}), {path: Path("/node/v")}, {}, Path("f")).words
    assert words[0] == "unshare"
    assert words[-4:] == ("/node/v", path, "--", "id")
