"""The HTML report, opened without a network in a browser, and used."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from orchestrator.reports.html import write_html
from tests.unit.orchestrator.reports.made_night import made_night

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None and os.environ.get("CI") == "true":
        pytest.fail("there is no chromium on this machine")
    if program is None:
        pytest.skip("there is no chromium on this machine")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("night") / "report.html"
    write_html(made_night(simulated=True), path)
    return path


@dataclass(slots=True)
class Opened:
    """The page, and what it complained of or asked for."""

    page: Page
    said: list[str] = field(default_factory=list)


def opened(browser: Browser, report: Path, **how: object) -> Opened:
    context = browser.new_context(offline=True, **how)  # type: ignore[arg-type] # playwright's own
    found = Opened(context.new_page())
    page = found.page
    page.on("console", lambda one: found.said.append(one.text) if one.type == "error" else None)
    page.on("pageerror", lambda one: found.said.append(str(one)))
    page.on(
        "request",
        lambda one: (
            None if one.url.startswith(("file:", "data:", "blob:")) else found.said.append(one.url)
        ),
    )
    page.goto(report.as_uri())
    return found


def draw_all(page: Page) -> None:
    for figure in page.query_selector_all("figure.chart"):
        figure.scroll_into_view_if_needed()
    page.wait_for_function(
        "[...document.querySelectorAll('figure.chart')].every((one) => one.dataset.drawn)",
        timeout=30_000,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_offline_draws_all_charts_and_axe_finds_nothing_serious(
    browser: Browser, report: Path, scheme: str
) -> None:
    found = opened(browser, report, color_scheme=scheme)

    draw_all(found.page)

    drawn = found.page.eval_on_selector_all(
        "figure.chart", "all => all.map((one) => one.querySelectorAll('svg path').length)"
    )
    assert len(drawn) == 4
    assert all(count > 0 for count in drawn)
    assert found.said == []
    violations = Axe().run(found.page).response["violations"]
    assert [
        (one["id"], one["nodes"][0]["html"][:200])
        for one in violations
        if one["impact"] in {"serious", "critical"}
    ] == []


def test_the_table_sorts_by_click_and_by_key_and_filters(browser: Browser, report: Path) -> None:
    page = opened(browser, report).page
    cells = "#r0-boards tbody tr:not([hidden]) td:nth-child(4)"
    head = page.get_by_role("button", name="p50 ms")

    head.click()
    up = [float(one) for one in page.locator(cells).all_inner_texts() if one]
    head.press("Enter")
    down = [float(one) for one in page.locator(cells).all_inner_texts() if one]
    page.get_by_label("Filter").fill("b03")
    names = page.locator("#r0-boards tbody tr:not([hidden]) th").all_inner_texts()
    page.get_by_label("Filter").fill("")
    page.get_by_label("Verdict").select_option("ERROR")
    failed = page.locator("#r0-boards tbody tr:not([hidden]) th").all_inner_texts()

    assert up == sorted(up)
    assert down == sorted(down, reverse=True)
    assert len(up) == 11
    assert names == ["b03 (simulated)"]
    assert failed == ["b02 (simulated)"]


def test_points_are_shown_on_demand_and_the_theme_turns(browser: Browser, report: Path) -> None:
    page = opened(browser, report, color_scheme="light").page
    draw_all(page)
    before = page.locator(".boxes path.point").count()

    page.get_by_label("show the single inferences").check()
    page.wait_for_function(
        "document.querySelectorAll('.boxes path.point').length > 100", timeout=30_000
    )
    page.get_by_role("button", name="Dark").click()

    assert before == 0
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_phone_needs_no_sideways_scrolling(browser: Browser, report: Path) -> None:
    found = opened(browser, report, viewport={"width": 360, "height": 740})

    draw_all(found.page)

    assert found.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert found.said == []
