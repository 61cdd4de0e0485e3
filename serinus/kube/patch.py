"""Operations of a JSON patch (RFC 6902) that hold only for an object as it was read.

Merge patches and server-side apply are not used: neither can say what must stand there now.
"""

from __future__ import annotations

from typing import Any

from serinus.kube.names import SERINUS

Object = dict[str, Any]
"""An object of the API server as its JSON."""
Operation = dict[str, Any]


def pointer(*path: str | int) -> str:
    """A JSON pointer (RFC 6901) to a place in an object."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def test(path: str, value: Any) -> Operation:
    """The whole patch fails (422) unless this stands there."""
    return {"op": "test", "path": path, "value": value}


def put(path: str, value: Any) -> Operation:
    """Whatever stands there, this does afterwards; what holds it must be there."""
    return {"op": "add", "path": path, "value": value}


def drop(path: str) -> Operation:
    return {"op": "remove", "path": path}


def at_version(seen: Object) -> Operation:
    """The whole patch fails (409) where anybody has written since, its status included."""
    return {
        "op": "replace",
        "path": "/metadata/resourceVersion",
        "value": seen["metadata"]["resourceVersion"],
    }


def entry(seen: Object, map_name: str, key: str, value: str) -> Operation:
    """One annotation or label more; go by `at_version` beside it where the map may not be there yet.

    Args:
        map_name: `annotations` or `labels`
    """
    if seen["metadata"].get(map_name):
        return put(pointer("metadata", map_name, key), value)
    return put(pointer("metadata", map_name), {key: value})


def disowning(seen: Object) -> list[Operation]:
    """The patch by which we manage none of an object's fields; empty where we manage none, or nobody else any.

    Source: kubernetes.io, Server-Side Apply, "Transferring ownership between managers".
    """
    managed = seen["metadata"].get("managedFields") or []
    others = [one for one in managed if one.get("manager") != SERINUS]
    if not others or len(others) == len(managed):
        return []
    return [at_version(seen), put(pointer("metadata", "managedFields"), others)]
