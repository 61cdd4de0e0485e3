"""Somebody who only has the Prefect UI: the page of a release in a browser, read from its lists (the graph is a canvas).

`SERINUS_SCREENSHOT=docs/images/release.png` keeps the picture that README shows.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.flows.platform import POLICY, Running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
QUIET = ("--disable-component-update", "--disable-sync")
LATE = POLICY | {
    "phases": [
        {"weight": weight, "soak": soak}
        for weight, soak in (("5%", "3s"), ("10%", "3s"), ("25%", "5s"), ("50%", "5s"), ("100%", "5s"))
    ]
}
PATIENCE = 20_000
"""Milliseconds that a part of the page may take to appear."""
pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Debian: apt-get install chromium)"),
]


@pytest.fixture
def page(platform: Running) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *QUIET])
        opened = browser.new_page(viewport={"width": 1400, "height": 900})
        opened.set_default_timeout(PATIENCE)
        yield opened
        browser.close()


@pytest.fixture
def late(platform: Running) -> dict[str, Any]:
    """A release whose version turns bad after six seconds of traffic, at its end."""
    return platform.until(platform.start("v2-late", LATE))


def show(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab, exact=True).click()


def test_the_page_tells_the_release(platform: Running, late: dict[str, Any], page: Page, tmp_path: Path) -> None:
    [chapter] = platform.prefect.subflows(late["id"])
    why = chapter["name"]
    weight = re.fullmatch(r"error_rate .* at (\d+) %", why)
    assert weight, why
    page.goto(f"{platform.platform.prefect_ui}/v2/runs/flow-run/{late['id']}")
    expect(page.get_by_text("RolledBack").first).to_be_visible(timeout=PATIENCE)
    for text in ("shop v2-late", "service:shop", "version:v2-late"):
        expect(page.get_by_text(text).first).to_be_visible()

    show(page, "Task Runs")
    for name in ("shift", "hold", "gate"):
        expect(page.get_by_text(f"{name} {weight[1]} %", exact=True).first).to_be_visible(timeout=PATIENCE)
    gate = page.get_by_text("Breached", exact=True)
    expect(gate.first).to_be_visible()

    show(page, "Subflow Runs")
    expect(page.get_by_text(why, exact=True).first).to_be_visible(timeout=PATIENCE)

    show(page, "Artifacts")
    for key in ("shop-progress", "shop-timeline", "shop-report", "shop-prometheus"):
        expect(page.get_by_text(key, exact=True).first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text(f"{why}; all traffic on stable").first).to_be_visible()

    show(page, "Details")
    expect(page.get_by_text(f"{why}; all traffic on stable").first).to_be_visible(timeout=PATIENCE)

    show(page, "Task Runs")
    expect(gate.first).to_be_visible(timeout=PATIENCE)
    picture = Path(os.environ.get("SERINUS_SCREENSHOT") or tmp_path / "release.png")
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=picture)
    assert picture.stat().st_size > 20_000

    report = platform.prefect.artifacts(late["id"])["shop-report"]
    page.goto(f"{platform.platform.prefect_ui}/v2/artifacts/artifact/{report['id']}")
    expect(page.get_by_text("shop v2-late: rolled back").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("abort above 5%").first).to_be_visible()
    expect(page.get_by_text("serinus evidence verify").first).to_be_visible()
