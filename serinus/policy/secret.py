"""Where a policy names a secret, and what it comes to.

A policy holds only `${NAME}`; where the values come from (environment, Prefect Secret block) is the caller's part, and that no
foreign text repeats them is `serinus.redact`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from serinus.errors import PolicyError, Problem

NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


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
