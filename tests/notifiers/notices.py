"""Notices for tests."""

from __future__ import annotations

from serinus.ports import Notice


def a_notice(text: str = "promoted", urgent: bool = False) -> Notice:
    return Notice("shop", "r1", text, "r1/7", urgent)
