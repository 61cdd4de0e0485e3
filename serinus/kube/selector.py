"""Whom does a label selector mean? Pure; a selector is `matchLabels` and `matchExpressions`, a Service's a plain mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether it selects pods of these labels; an empty one selects all.

    Source: Kubernetes, Labels and Selectors, "Resources that support set-based requirements".
    """
    equal = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return equal and all(_holds(wanted, labels) for wanted in selector.get("matchExpressions") or ())


def _holds(wanted: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = wanted["key"], wanted.get("values") or ()
    match wanted["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


def asked(selector: Mapping[str, Any]) -> str:
    """As the parameter `labelSelector` of a list has it."""
    return ",".join(_terms(selector))


def _terms(selector: Mapping[str, Any]) -> Iterator[str]:
    for key, value in sorted((selector.get("matchLabels") or {}).items()):
        yield f"{key}={value}"
    for wanted in selector.get("matchExpressions") or ():
        key, values = wanted["key"], ",".join(wanted.get("values") or ())
        match wanted["operator"]:
            case "In":
                yield f"{key} in ({values})"
            case "NotIn":
                yield f"{key} notin ({values})"
            case "Exists":
                yield key
            case "DoesNotExist":
                yield f"!{key}"
