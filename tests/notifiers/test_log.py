"""A line a notice; one that needs a person stands out."""

from __future__ import annotations

import logging

import pytest

from serinus.notifiers.log import LogNotifier
from tests.notifiers.notices import a_notice


async def test_a_notice_is_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "serinus.notice")
    await LogNotifier().tell(a_notice("rolled back at 5 %: 12 of 39 failed"))
    await LogNotifier().tell(a_notice("the canary may still serve 100%s", urgent=True))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "shop: rolled back at 5 %: 12 of 39 failed [r1/7]"),
        ("CRITICAL", "shop: the canary may still serve 100%s [r1/7]"),
    ]


async def test_the_logger_can_be_another(caplog: pytest.LogCaptureFixture) -> None:
    await LogNotifier(logging.getLogger("run")).tell(a_notice("promoted"))
    assert [record.name for record in caplog.records] == ["run"]
