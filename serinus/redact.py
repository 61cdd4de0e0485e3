"""How are secrets kept out of a text that somebody else wrote? An error's words may repeat what was sent.

Knows no secret: who was given one names it here before a foreign text goes any further.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import quote

HIDDEN = "***"


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret shown as `***`, also where it was written for JSON or for an address."""
    forms = {
        form
        for secret in secrets
        if secret
        for form in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1])
    }
    forms |= {quoted for form in forms for quoted in (quote(form, safe=""), quote(form))}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text
