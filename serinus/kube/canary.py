"""What are the canary's Deployment and its pods' labels, made of stable's? Pure.

The same pods with another image. Of their labels only those change that keep stable's Service from sending them requests, because
NetworkPolicies, monitors and budgets select by labels too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from serinus.errors import Refused
from serinus.kube import names, selector
from serinus.kube.patch import Object, Operation, at_version, drop, pointer, put, test
from serinus.kube.template import Template

COMMON = ("app.kubernetes.io/name", "app", "app.kubernetes.io/part-of", "app.kubernetes.io/component")
"""Labels that others most often select by: changed only where nothing else would do."""
LEFT_OUT = ("replicas", "selector", "template", "paused")
"""What a canary does not take over of stable's spec."""


def changed_labels(
    labels: Mapping[str, str], service: Mapping[str, str], stable: Mapping[str, Any], fixed: Mapping[str, str]
) -> dict[str, str]:
    """The labels that a canary's pods have in another form than stable's.

    Args:
        labels: of stable's pods
        service: selector of stable's Service; empty where nothing splits by Service
        stable: selector of the stable Deployment: one of its own is changed rather than another
        fixed: labels that its pods must have, as a canary Deployment demands that was there before

    Raises:
        Refused: whatever is changed, stable's Service would send it requests, or does not select stable's pods at all
    """
    if not service:
        return dict(fixed)
    if not selector.matches({"matchLabels": service}, labels):
        raise Refused(f"stable's Service selects {_shown(service)}, and stable's pods are {_shown(labels)}")
    if not selector.matches({"matchLabels": service}, {**labels, **fixed}):
        return dict(fixed)
    free = [key for key in service if key not in fixed]
    if not free:
        raise Refused(f"stable's Service selects {_shown(service)}, which the canary's own selector demands as well")
    own = stable.get("matchLabels") or {}
    key = min(free, key=lambda name: (name not in own, name in COMMON, name))
    return {**fixed, key: names.canary_name(service[key])}


def changed_beside(
    stable: Mapping[str, Any], service: Mapping[str, Any] | None, template: Template, found: Mapping[str, Any] | None
) -> dict[str, str]:
    """See `changed_labels`, of the objects as they stand.

    Args:
        stable: its Deployment
        service: stable's; None where nothing splits by Service
        found: the canary's Deployment, where there is one
    """
    selecting = service["spec"].get("selector") or {} if service else {}
    fixed = ((found or {}).get("spec") or {}).get("selector", {}).get("matchLabels") or {}
    return changed_labels(template.labels, selecting, stable["spec"]["selector"], fixed)


def _shown(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "nothing"


def own_labels(canary: str, release: str) -> dict[str, str]:
    """What the pods of this canary have and no others: also not those of the one before it that are still ending.

    Args:
        canary: name of its Deployment
    """
    return {names.CANARY: names.shortened(canary), names.RELEASE: names.shortened(release)}


def pods(template: Template, changed: Mapping[str, str], canary: str, release: str) -> dict[str, Any]:
    """The canary's `spec.template`.

    Args:
        changed: labels, see `changed_labels`
        canary: name of its Deployment
    """
    metadata = template.pod.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), **changed, **own_labels(canary, release)}
    return {**template.pod, "metadata": {**metadata, "labels": labels}}


def analysed(deployment: Mapping[str, Any]) -> Template:
    """The template that stable would be given, as the canary's pods have it.

    Raises:
        Refused: what the Deployment says of its labels cannot be read
    """
    pod = deployment["spec"]["template"]
    labels = dict(pod["metadata"].get("labels") or {})
    for ours in own_labels("", ""):
        labels.pop(ours, None)
    for key, (before, _) in _changed(deployment).items():
        labels.pop(key, None)
        labels |= {} if before is None else {key: before}
    metadata = {key: value for key, value in pod["metadata"].items() if key != "labels"} | {"labels": labels}
    return Template({**pod, "metadata": metadata}, _said(deployment, names.CONFIG))


def notes(release: str, template: Template, changed: Mapping[str, str]) -> dict[str, str]:
    """What the canary's Deployment says of itself, as annotations."""
    labels = (template.pod.get("metadata") or {}).get("labels") or {}
    pairs = {key: [labels.get(key), value] for key, value in changed.items()}
    return {
        names.RELEASE: release,
        names.STABLE_LABELS: json.dumps(pairs, sort_keys=True),
        names.CONFIG: json.dumps(template.config, sort_keys=True),
    }


def labels(release: str) -> dict[str, str]:
    """By which a release's objects are found and listed."""
    return {names.MANAGED_BY: names.SERINUS, names.RELEASE: names.shortened(release)}


def deployment(
    stable: Mapping[str, Any], template: Template, release: str, replicas: int | None, changed: Mapping[str, str]
) -> dict[str, Any]:
    """A canary Deployment that is not there yet; with no pod, where their number is not its maker's.

    It takes none of stable's own labels and annotations: they say who manages that one, and would prune this one.
    """
    name = names.canary_name(stable["metadata"]["name"])
    kept = {key: value for key, value in stable["spec"].items() if key not in LEFT_OUT}
    return {
        "metadata": {"name": name, "labels": labels(release), "annotations": notes(release, template, changed)},
        "spec": {
            **kept,
            "replicas": replicas or 0,
            "selector": {"matchLabels": own_labels(name, release)},
            "template": pods(template, changed, name, release),
        },
    }


def rewritten(found: Object, template: Template, replicas: int | None) -> list[Operation]:
    """What brings the canary to this template and scale (None: whatever it has); nothing where it is there.

    Its scale goes by whose it is: its status changes all the time while pods come. Its template goes by the version that was read.
    """
    release, spec = release_of(found), found["spec"]
    seen = [test("/metadata/uid", found["metadata"]["uid"])]
    seen.append(test(pointer("metadata", "annotations", names.RELEASE), release))
    changes = [put("/spec/replicas", replicas)] if replicas not in (None, spec["replicas"]) else []
    if analysed(found) != template:
        changed = {key: value for key, (_, value) in _changed(found).items()}
        changes.append(put("/spec/template", pods(template, changed, found["metadata"]["name"], release)))
        changes += _entries(found, "annotations", notes(release, template, changed))
        seen.append(at_version(found))
    return [*seen, *changes] if changes else []


def adopted(
    found: Object, template: Template, release: str, replicas: int | None, changed: Mapping[str, str]
) -> list[Operation]:
    """What makes a canary of a Deployment that was there before; it keeps in itself what it was.

    Raises:
        Refused: its selector cannot be met by pods of this template
    """
    name, spec = found["metadata"]["name"], found["spec"]
    pod = pods(template, changed, name, release)
    if not selector.matches(spec["selector"], pod["metadata"]["labels"]):
        raise Refused(f"the Deployment {name} is there already, and its selector wants other pods: {spec['selector']}")
    was = json.dumps({"replicas": spec["replicas"], "template": spec["template"], "paused": bool(spec.get("paused"))})
    return [
        at_version(found),
        *_entries(found, "annotations", {names.FOUND: was, **notes(release, template, changed)}),
        *_entries(found, "labels", {names.RELEASE: names.shortened(release)}),
        put("/spec/replicas", replicas or 0),
        put("/spec/template", pod),
        put("/spec/paused", False),
    ]


def given_back(found: Mapping[str, Any]) -> list[Operation] | None:
    """What makes an adopted Deployment what it was; None where it is ours, to be deleted."""
    was = _said(found, names.FOUND)
    if not was:
        return None
    own = (names.FOUND, names.RELEASE, names.STABLE_LABELS, names.CONFIG)
    there = found["metadata"]["annotations"]
    label = names.RELEASE in (found["metadata"].get("labels") or {})
    return [
        test(pointer("metadata", "annotations", names.RELEASE), release_of(found)),
        *(put(f"/spec/{part}", was[part]) for part in ("replicas", "template", "paused")),
        *(drop(pointer("metadata", "annotations", key)) for key in own if key in there),
        *([drop(pointer("metadata", "labels", names.RELEASE))] if label else []),
    ]


def release_of(found: Mapping[str, Any]) -> str:
    """Whose an object is; empty where it is nobody's of ours."""
    return str((found["metadata"].get("annotations") or {}).get(names.RELEASE, ""))


def _changed(deployment: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Labels of the canary's pods that are other than stable's: as stable has them (None: not at all), and as the canary has."""
    pairs = _said(deployment, names.STABLE_LABELS)
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs.values()):
        raise Refused(_edited(deployment, names.STABLE_LABELS))
    return pairs


def _said(found: Mapping[str, Any], key: str) -> dict[str, Any]:
    """What an annotation of ours says; empty where it is not there."""
    try:
        said = json.loads((found["metadata"].get("annotations") or {}).get(key, "{}"))
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Refused(_edited(found, key))
    return said


def _edited(found: Mapping[str, Any], key: str) -> str:
    return f"the annotation {key} of {found['metadata']['name']} was changed by somebody and cannot be read"


def _entries(found: Mapping[str, Any], place: str, wanted: Mapping[str, str]) -> list[Operation]:
    """Annotations or labels more."""
    if not found["metadata"].get(place):
        return [put(pointer("metadata", place), dict(wanted))]
    return [put(pointer("metadata", place, key), value) for key, value in wanted.items()]
