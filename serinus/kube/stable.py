"""What does a release write into the stable Deployment, and what does it read there? Pure.

Template and note in one write; nothing else of it is ours, its replicas least of all: others scale it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from serinus.errors import Refused
from serinus.kube import image, names
from serinus.kube.patch import Object, Operation, at_version, drop, pointer, put
from serinus.kube.template import Template, containers
from serinus.release.record import Note

NEW = "new"
"""The step of a note that gives stable a release's template."""


def note(found: Mapping[str, Any]) -> Note | None:
    """Which release wrote it last; None where none ever has.

    Raises:
        Refused: there is one and it is none
    """
    text = _said(found).get(names.NOTE)
    if text is None:
        return None
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    match said:
        case {"release": str(release), "token": int(token), "step": str(step)}:
            return Note(release, token, step)
    raise Refused(f"the annotation {names.NOTE} of {found['metadata']['name']} is not a release, its token and a step")


def written(found: Object, template: Template, note: Note, analysed: Mapping[str, Any]) -> list[Operation]:
    """Template and note, on the Deployment as it was read alone: its status moves on too, so whoever sends this reads it again.

    Args:
        analysed: what its pods may run, see `analysed`; empty: nothing was analysed, as where a template is put back
    """
    said = _said(found)
    wanted = {names.NOTE: json.dumps(asdict(note), sort_keys=True)}
    wanted |= {names.ANALYSED: json.dumps(analysed, sort_keys=True)} if analysed else {}
    stale = [] if analysed or names.ANALYSED not in said else [drop(pointer("metadata", "annotations", names.ANALYSED))]
    same = found["spec"]["template"] == template.pod
    changed = [] if same else [put("/spec/template", template.pod)]
    return [at_version(found), *stale, *_entries(said, wanted), *changed]


def analysed(template: Template, container: str, image_ids: Sequence[str]) -> dict[str, Any]:
    """The image and what it was when it was analysed, so that a tag that has moved since is known; empty where that is not known."""
    ids = sorted({image.content(one) for one in image_ids} - {""})
    return {"image": containers(template.pod["spec"], container).get("image", ""), "ids": ids} if ids else {}


def may_run(found: Mapping[str, Any]) -> dict[str, Any]:
    """What `analysed` made; empty where nothing is known."""
    try:
        said = json.loads(_said(found).get(names.ANALYSED, "{}"))
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _said(found: Mapping[str, Any]) -> Mapping[str, str]:
    return found["metadata"].get("annotations") or {}


def _entries(said: Mapping[str, str], wanted: Mapping[str, str]) -> list[Operation]:
    if not said:
        return [put(pointer("metadata", "annotations"), dict(wanted))]
    return [put(pointer("metadata", "annotations", key), value) for key, value in wanted.items()]
