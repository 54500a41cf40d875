"""The page in tabs of a real browser, which plays a recording as its microphone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.unit_tests._notebook.test_browser import watched
from tests.unit_tests._web_page.conftest import TOKEN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.unit_tests._web_page.conftest import Served

PHONE: Any = {"width": 390, "height": 844}


def opened(
    browser: Browser, page: Served, *, script: str = "", **how: Any
) -> tuple[Page, list[str], list[str]]:
    """Open the page; return it, and what it requests and complains of.

    Args:
        browser: The browser.
        page: The page.
        script: What runs in the tab before the page does.
        how: What `Browser.new_page` takes.
    """
    tab = browser.new_page(**{"locale": "en-US", **how})
    tab.add_init_script(script)
    requested, complaints = watched(tab)
    tab.goto(f"{page.address}/#{TOKEN}")
    expect(tab.locator("main")).to_be_visible()
    return tab, requested, complaints


def press(tab: Page, element: str, key: str = "Enter") -> None:
    """Go on with the Tab key up to an element, and press a key there."""
    for _ in range(20):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.id") == element:
            assert tab.evaluate("document.activeElement.matches(':focus-visible')")
            tab.keyboard.press(key)
            return
    pytest.fail(f"the Tab key does not lead to {element}")
