"""What does a container's process get to see of its pod: environment, arguments, files? Pure, given what they refer to.

There is no file system of its own: a volume lies in a folder of the node's, and wherever the pod's words name a path that
the volume is mounted at, the process is given the folder's instead (`relocated`). A program that has such a path built in
does not find it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from serinus.local.cluster.node.status import Object

Source = tuple[str, str]
"""`configmaps` or `secrets` and a name, or `tokens` and an audience."""
Sources = Mapping[Source, Mapping[str, bytes] | None]
"""Their keys; None where there is no such object."""

FIELD = re.compile(r"metadata\.(?P<map>labels|annotations)\['(?P<key>[^']+)'\]")
REFERENCE = re.compile(r"\$\$|\$\((?P<name>[^)]+)\)")
ENV_REFERENCES = {"configMapKeyRef": "configmaps", "secretKeyRef": "secrets"}
ENV_SOURCES = {"configMapRef": "configmaps", "secretRef": "secrets"}
VOLUME_SOURCES = {"configMap": ("configmaps", "name"), "secret": ("secrets", "secretName")}
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class CreateContainerConfigError(Exception):
    """What the container's environment refers to is not there."""


class FailedMount(Exception):
    """What a volume refers to is not there."""


def decoded(kind: str, found: Object) -> dict[str, bytes]:
    """The keys of a ConfigMap or Secret."""
    data: Mapping[str, str] = found.get("data") or {}
    binary: Mapping[str, str] = found.get("binaryData") or {}
    if kind == "secrets":
        return {key: base64.b64decode(value) for key, value in data.items()}
    return {key: value.encode() for key, value in data.items()} | {
        key: base64.b64decode(value) for key, value in binary.items()
    }


def sources_of_environment(container: Object) -> set[Source]:
    """What must be read before `environment` can be asked."""
    single = {
        (kind, one["valueFrom"][key]["name"])
        for one in container.get("env", [])
        for key, kind in ENV_REFERENCES.items()
        if key in one.get("valueFrom", {})
    }
    whole = {
        (kind, one[key]["name"])
        for one in container.get("envFrom", [])
        for key, kind in ENV_SOURCES.items()
        if key in one
    }
    return single | whole


def sources_of_volumes(pod: Object) -> set[Source]:
    """What must be read before `files` can be asked."""
    parts = [part for volume in pod["spec"].get("volumes", []) for part in _parts(volume)]
    return {source for part in parts if (source := _source(part)) is not None}


def environment(container: Object, pod: Object, ip: str, sources: Sources) -> dict[str, str]:
    """Name to value, later ones over earlier ones.

    Raises:
        CreateContainerConfigError: a reference that is not optional leads nowhere
    """
    got: dict[str, str] = {}
    for one in container.get("envFrom", []):
        key, kind = next((key, kind) for key, kind in ENV_SOURCES.items() if key in one)
        data = sources.get((kind, one[key]["name"]))
        if data is None and not one[key].get("optional"):
            raise CreateContainerConfigError(f'{kind[:-1]} "{one[key]["name"]}" not found')
        got |= {one.get("prefix", "") + name: value.decode() for name, value in (data or {}).items()}
    for one in container.get("env", []):
        if "valueFrom" not in one:
            got[one["name"]] = expanded(one.get("value", ""), got)
        elif (value := _referred(one["valueFrom"], container, pod, ip, sources)) is not None:
            got[one["name"]] = value
    return got


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """`$(NAME)` put in, as the API defines it: unknown names stay as they are, `$$` is a dollar."""

    def put(match: re.Match[str]) -> str:
        name = match["name"]
        return "$" if name is None else environment.get(name, match[0])

    return REFERENCE.sub(put, text)


def relocated(text: str, mounts: Mapping[str, Path]) -> str:
    """The text with each path below a mount's leading to where its files really are."""
    for path in sorted(mounts, key=len, reverse=True):
        at = re.compile(rf"(?<![\w./-]){re.escape(path.rstrip('/'))}(?![\w.-])")
        text = at.sub(lambda _, folder=mounts[path]: str(folder), text)  # type: ignore[misc]
    return text


def files(volume: Object, pod: Object, ip: str, sources: Sources) -> dict[str, bytes]:
    """What a volume holds, by its path in it; an empty one for an `emptyDir`.

    Raises:
        FailedMount: what it refers to is not there, or it is of a kind that there is none of here
    """
    got: dict[str, bytes] = {}
    for part in _parts(volume):
        if "emptyDir" in part:
            continue
        if "downwardAPI" in part:
            got |= {
                item["path"]: (_field(item["fieldRef"]["fieldPath"], pod, ip) or "").encode()
                for item in part["downwardAPI"].get("items", [])
            }
        elif (source := _source(part)) is not None:
            got |= _chosen(_said(part), source, sources.get(source))
        else:
            kind = ", ".join(key for key in part if key != "name")
            raise FailedMount(f'MountVolume.SetUp failed for volume "{volume["name"]}": there is no {kind} here')
    return got


def quantity(text: str) -> int:
    """Bytes, of a quantity such as `64Mi`."""
    unit = next((unit for unit in UNITS if text.endswith(unit)), "")
    return int(float(text.removesuffix(unit)) * UNITS.get(unit, 1))


def _parts(volume: Object) -> Iterable[Object]:
    """What a projected volume puts together; else the volume itself."""
    projected: Iterable[Object] = volume["projected"].get("sources", []) if "projected" in volume else (volume,)
    return projected


def _said(part: Object) -> Object:
    """What a part takes of its source."""
    if "serviceAccountToken" in part:
        return {"items": [{"key": "token", "path": part["serviceAccountToken"]["path"]}]}
    said: Object = part.get("configMap") or part["secret"]
    return said


def _source(part: Object) -> Source | None:
    if "serviceAccountToken" in part:
        return "tokens", part["serviceAccountToken"].get("audience", "")
    for key, (kind, name) in VOLUME_SOURCES.items():
        if key in part:
            return kind, part[key].get(name) or part[key]["name"]
    return None


def _chosen(said: Object, source: Source, data: Mapping[str, bytes] | None) -> Mapping[str, bytes]:
    kind, name = source
    if data is None:
        if said.get("optional"):
            return {}
        raise FailedMount(f'{kind[:-1]} "{name}" not found')
    if "items" not in said:
        return data
    missing = [item["key"] for item in said["items"] if item["key"] not in data]
    if missing and not said.get("optional"):
        raise FailedMount(f"{kind[:-1]} references non-existent config key: {missing[0]}")
    return {item["path"]: data[item["key"]] for item in said["items"] if item["key"] in data}


def _referred(value: Object, container: Object, pod: Object, ip: str, sources: Sources) -> str | None:
    """None where an optional reference leads nowhere."""
    if "fieldRef" in value:
        return _field(value["fieldRef"]["fieldPath"], pod, ip)
    if "resourceFieldRef" in value:
        return _resource(value["resourceFieldRef"], container)
    for key, kind in ENV_REFERENCES.items():
        if key not in value:
            continue
        asked = value[key]
        data = sources.get((kind, asked["name"]))
        if data is not None and asked["key"] in data:
            return data[asked["key"]].decode()
        if asked.get("optional"):
            return None
        what = f'{kind[:-1]} "{asked["name"]}" not found'
        raise CreateContainerConfigError(
            what if data is None else f"couldn't find key {asked['key']} in {kind[:-1]} {asked['name']}"
        )
    raise CreateContainerConfigError(f"no such reference here: {', '.join(value)}")


def _field(path: str, pod: Object, ip: str) -> str | None:
    metadata, spec = pod["metadata"], pod["spec"]
    if match := FIELD.fullmatch(path):
        return str(metadata.get(match["map"], {}).get(match["key"], ""))
    known = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "metadata.labels": "\n".join(_quoted(metadata.get("labels", {}))),
        "metadata.annotations": "\n".join(_quoted(metadata.get("annotations", {}))),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": ip,
    }
    if path not in known:
        raise CreateContainerConfigError(f"no such field here: {path}")
    return str(known[path])


def _quoted(values: Mapping[str, str]) -> Iterator[str]:
    for key, value in sorted(values.items()):
        yield f'{key}="{value}"'


def _resource(asked: Object, container: Object) -> str:
    kind, _, name = asked["resource"].partition(".")
    resources: dict[str, Any] = container.get("resources", {}).get(kind, {})
    value = str(resources.get(name, "0"))
    return str(quantity(value)) if name == "memory" else value
