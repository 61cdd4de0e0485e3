"""How our objects, labels and annotations are called, also where a service's own name is as long as a name may be.

Who writes them is the adapters' business.
"""

from __future__ import annotations

import hashlib
import re

PREFIX = "serinus.dev"
SERINUS = "serinus"
"""The field manager of every write, and the value of `MANAGED_BY` on objects of our own."""

MANAGED_BY = "app.kubernetes.io/managed-by"
SERVICE = f"{PREFIX}/service"
RELEASE = f"{PREFIX}/release"
EVIDENCE = f"{PREFIX}/evidence"
STATE = f"{PREFIX}/state"
WEIGHT = f"{PREFIX}/weight"
VERSION = f"{PREFIX}/version"
"""Labels: the service; the release, `shortened` (as an annotation it is whole); on evidence alone the same again; its state; the
canary's percent; the version, `shortened`: of a Deployment the one that it runs, of the record its release's."""
SHOWN = f"{PREFIX}/shown"
"""Annotation of a Deployment: token and beat of the record that its labels were made of."""
WRITE = f"{PREFIX}/write"
"""Annotation of the record: new with every write."""

CANARY = f"{PREFIX}/canary"
"""Label of a canary's pods: the name of its Deployment."""
STABLE_LABELS = f"{PREFIX}/stable-labels"
CONFIG = f"{PREFIX}/config"
"""Annotations of a canary's Deployment: what its changed labels are on stable's pods, and checksums of what it mounts."""

NOTE = f"{PREFIX}/note"
ANALYSED = f"{PREFIX}/analysed-images"
"""Annotations of the stable Deployment: release, token and step; ids of the images that were analysed, when it was promoted."""
FOUND = f"{PREFIX}/found"
"""Annotation of an object that was there before: what was changed of it, as it was."""
ROUTED = f"{PREFIX}/routed"
"""Annotation of a canary's Service: a route names it, so it stays until that is restored."""

LONGEST = 63
"""Of a label's value, and of the name of a Service. Source: RFC 1123; kubernetes.io, Object Names and IDs."""
_CANARY = "-canary"
_HASH = 8
_RANDOM = "bcdfghjklmnpqrstvwxz2-9"
"""Letters of the hash of a ReplicaSet and of the end of a pod's name."""
_GENERATED, _LONGEST_HASH = 58, 10


def labels(service: str, release: str) -> dict[str, str]:
    """By which a service's own objects are found and listed."""
    return {MANAGED_BY: SERINUS, SERVICE: service, RELEASE: shortened(release)}


def record_name(service: str) -> str:
    """The ConfigMap with a service's record."""
    return f"{SERINUS}-{service}"


def evidence_name(release: str, part: int) -> str:
    """The ConfigMap with one part of a release's evidence."""
    return f"{SERINUS}-{release}-{part}"


def canary_name(name: str) -> str:
    """The canary's Deployment, Service or label beside stable's of that name; at most 63 characters, and never another's."""
    longest = LONGEST - len(_CANARY)
    return f"{name if len(name) <= longest else _hashed(name, name, longest)}{_CANARY}"


def pods(deployment: str) -> str:
    """The names of a Deployment's pods, as a regular expression (RE2); those of another Deployment do not match it.

    Source: `k8s.io/apiserver/pkg/storage/names` (58 characters and five at random), `k8s.io/apimachinery/pkg/util/rand` (the letters).
    """
    begin = f"{deployment}-"[:_GENERATED]
    room = _GENERATED - len(begin)
    hashed = f"[{_RANDOM}]{{1,10}}-" if room > _LONGEST_HASH else f"[{_RANDOM}-]{{{min(room, 1)},{room}}}"
    return f"{begin.replace('.', '[.]')}{hashed}[{_RANDOM}]{{5}}"


def shortened(text: str) -> str:
    """Any text as a label's value: itself where it may be one, else as much of it as fits with a hash of the whole."""
    fit = re.sub(r"[^A-Za-z0-9._-]", "-", text).strip("._-")
    return text if fit == text and len(text) <= LONGEST else _hashed(fit, text, LONGEST)


def mark_annotation(service: str) -> str:
    """Where the mark of a service stands on the object that has its weight."""
    return f"{PREFIX}/{service}"


def _hashed(shown: str, whole: str, longest: int) -> str:
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_HASH]
    kept = shown[: longest - _HASH - 1].rstrip("._-")
    return f"{kept}-{digest}" if kept else digest
