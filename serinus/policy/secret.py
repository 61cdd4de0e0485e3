"""Where a policy names a secret, what it comes to, and how it is kept out of every text.

A policy holds only `${NAME}`; where the values come from (environment, Prefect Secret block) is the caller's part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from serinus.errors import PolicyError, Problem

NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
HIDDEN = "***"


def names(text: str) -> tuple[str, ...]:
    """The names in a text, each once, in their order."""
    return tuple(dict.fromkeys(NAME.findall(text)))


def malformed(text: str) -> bool:
    """Whether something in it was meant as a name and is none: `$TOKEN`, `${my token}`."""
    return "$" in NAME.sub("", text)


def resolve(text: str, secrets: Mapping[str, str], where: str = "", source: str = "policy") -> str:
    """The text with every `${NAME}` replaced.

    Args:
        where: dotted path of the key, for the error

    Raises:
        PolicyError: a name that is not set, or set to nothing; names it and never a value
    """
    missing = [name for name in names(text) if not secrets.get(name)]
    if missing:
        problems = (
            Problem(where, f"the secret `{name}` is {'empty' if name in secrets else 'not set'}", f"set {name}")
            for name in missing
        )
        raise PolicyError(source, tuple(problems))
    return NAME.sub(lambda match: secrets[match[1]], text)


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret shown as `***`, also where it was written for JSON or for an address."""
    forms = {
        form for secret in secrets if secret for form in (secret, json.dumps(secret)[1:-1], quote(secret, safe=""))
    }
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text
