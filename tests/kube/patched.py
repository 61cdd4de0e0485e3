"""An object after a JSON patch, as the API server applies it: whole or not at all, and not on a version that has passed."""

from __future__ import annotations

from typing import Any

import jsonpatch

from serinus.errors import Conflict
from serinus.kube.patch import Object, Operation


def patched(found: Object, operations: list[Operation]) -> Object:
    """Raises Conflict: a precondition does not hold."""
    for operation in operations:
        if (
            operation["path"] == "/metadata/resourceVersion"
            and operation["value"] != found["metadata"]["resourceVersion"]
        ):
            raise Conflict("written in between")
    try:
        made: dict[str, Any] = jsonpatch.apply_patch(found, operations)
    except jsonpatch.JsonPatchTestFailed as cause:
        raise Conflict(str(cause)) from cause
    return made
