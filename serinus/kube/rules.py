"""What may we do here, as the API server says it in one answer? Where that names no right, it is asked for this one alone.

Source: kubernetes.io, SelfSubjectRulesReview; `k8s.io/kubernetes/pkg/apis/rbac/v1`, evaluation helpers. Which rights are needed is not
known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from serinus.errors import Refused
from serinus.kube.client import Kind, Kube

Rule = Mapping[str, Any]
_ANY = "*"


def given(status: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The rules of a review; none where the server cannot name all: what else decides there may forbid what they allow.

    Args:
        status: of a SelfSubjectRulesReview
    """
    return () if status.get("incomplete", True) else tuple(status.get("resourceRules") or ())


def allowed(rules: Sequence[Rule], verb: str, kind: Kind, name: str = "", part: str = "") -> bool:
    """Whether one of them gives this right.

    Args:
        name: of the object that it is about; empty: any
        part: subresource
    """
    wholes = {_ANY, f"{kind.plural}/{part}", f"*/{part}"} if part else {_ANY, kind.plural}
    return any(
        {_ANY, verb} & _said(rule, "verbs")
        and {_ANY, kind.group} & _said(rule, "apiGroups")
        and wholes & _said(rule, "resources")
        and (not rule.get("resourceNames") or name in _said(rule, "resourceNames"))
        for rule in rules
    )


def _said(rule: Rule, field: str) -> set[str]:
    return set(rule.get(field) or ())


@dataclass(frozen=True, slots=True)
class Rules:
    """What we may do in one namespace, as it was when it was read.

    Args:
        kube: closed by whoever opened it
    """

    kube: Kube
    rules: tuple[Rule, ...]

    @classmethod
    async def read(cls, kube: Kube) -> Self:
        """One call."""
        try:
            return cls(kube, given(await kube.rules()))
        except Refused:  # it says of each right alone whether we have it
            return cls(kube, ())

    async def may(self, verb: str, kind: Kind, name: str = "", part: str = "") -> bool:
        """Whether we may do this; no is only ever the server's own word for this very right."""
        return allowed(self.rules, verb, kind, name, part) or await self.kube.may(verb, kind, name, part)
