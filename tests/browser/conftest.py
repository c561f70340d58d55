"""The system's Chromium, which all tests of pages share."""

import pytest
from playwright.sync_api import sync_playwright

from tests.components.chromium import MISSING, find_chromium
from tests.components.lacking import lacks

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="package")
def browser():
    path = find_chromium()
    if path is None:
        lacks(MISSING)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield started
        started.close()
