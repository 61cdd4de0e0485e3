"""Everything that a pod takes configuration from is found, and only what it holds counts."""

from __future__ import annotations

from typing import Any

from serinus.kube.config import checksum, references

POD: dict[str, Any] = {
    "volumes": [
        {"name": "a", "configMap": {"name": "files"}},
        {"name": "b", "secret": {"secretName": "keys"}},
        {"name": "c", "projected": {"sources": [{"configMap": {"name": "more"}}, {"secret": {"name": "token"}}]}},
        {"name": "d", "emptyDir": {}},
    ],
    "initContainers": [{"name": "first", "envFrom": [{"configMapRef": {"name": "start"}}]}],
    "containers": [
        {
            "name": "shop",
            "env": [
                {"name": "PLAIN", "value": "1"},
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "files", "key": "a"}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
                {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ],
            "envFrom": [{"secretRef": {"name": "all"}, "prefix": "X_"}],
        }
    ],
}


def test_every_source_is_found_once() -> None:
    assert [str(one) for one in references(POD)] == [
        "ConfigMap/files", "ConfigMap/more", "ConfigMap/start", "Secret/all", "Secret/db", "Secret/keys", "Secret/token",
    ]  # fmt: skip
    assert references({"containers": [{"name": "shop"}], "volumes": None}) == ()


def test_a_checksum_is_of_what_is_held() -> None:
    one = {"metadata": {"resourceVersion": "1"}, "data": {"a": "1", "b": "2"}}
    same = {"metadata": {"resourceVersion": "9"}, "data": {"b": "2", "a": "1"}, "binaryData": None}
    other = {"data": {"a": "1", "b": "3"}}
    assert checksum(one) == checksum(same)
    assert checksum(one) != checksum(other)
    assert checksum({}) != checksum(None) == "absent"
    assert "1" * 20 not in checksum({"data": {"a": "1" * 20}})
