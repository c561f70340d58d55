"""The page that a running autoscaler serves, in a real browser."""

import pytest

from autoscaler.scaling.external.token_file import TokenFile
from autoscaler.scaling.holding import Hold
from recommender.policy.model import Mode
from tests.autoscaler.scaling.builders import view
from tests.autoscaler.scaling.page.boards import reported, served, watched
from tests.components.processes import until

TOKEN = "a-token-of-some-length"


@pytest.fixture
def open_page(browser):
    """Open addresses; afterwards nothing may have been logged, raised or asked of others."""
    contexts, complaints = [], []

    def opened(url, **options):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((url, "data:")) else complaints.append(request.url)
            ),
        )
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def url():
    views = (view("chat", "auto-limits"), view("search"), view("train", namespace="batch"))
    with reported(*views) as seen, served(seen) as address:
        yield address


def names(page):
    return page.locator("tbody[id]:visible th a").all_inner_texts()


def test_the_head_says_that_it_is_live_and_what_is_done(open_page, url):
    page = open_page(url)

    assert page.locator(".live").inner_text().startswith("Live, mode apply: what is enrolled")
    assert len(names(page)) == 3


def test_it_sorts_and_filters_under_the_policy_of_its_server(open_page, url):
    page = open_page(url)

    page.get_by_role("button", name="Workload").click()
    assert names(page) == sorted(names(page))
    page.get_by_label("Namespace").select_option("batch")
    assert names(page) == ["batch/train"]
    page.get_by_label("Namespace").select_option("")
    page.get_by_label("Search").fill("search")
    assert names(page) == ["team/search"]


def test_it_works_without_a_script(open_page, url):
    page = open_page(url, java_script_enabled=False)

    assert len(names(page)) == 3
    assert not page.locator(".tools").is_visible()
    page.locator("tbody[id] summary").first.click()
    assert (
        page.get_by_text("of demand over time")
        .or_(page.get_by_text("weighted by load"))
        .first.is_visible()
    )


def test_a_change_of_the_loop_is_seen_when_the_page_is_loaded_again(open_page):
    with watched(mode=Mode.RECOMMEND, every_s=15.0) as seen, served(seen) as address:
        seen.board.ask()
        seen.loop.hold = Hold.UNHEALTHY
        seen.holds = ("the webhook does not answer",)
        seen.tick()
        page = open_page(address)
        page.locator("tbody[id] summary").first.click()
        assert page.locator("table.log").count() == 0
        assert "only raises pass: the webhook does not answer" in page.locator(".live").inner_text()

        seen.loop.mode, seen.loop.hold, seen.holds = Mode.APPLY, None, ()
        seen.tick(after_s=15)
        seen.tick(after_s=15)
        page.reload()
        page.locator("tbody[id] summary").first.click()

        after = page.locator("table.log").first.inner_text()
        assert "limits: 80 → 96 TFLOPS" in after
        assert "applied" in after
        assert "only raises" not in page.locator(".live").inner_text()


def test_while_there_is_no_report_the_page_looks_again_by_itself(browser):
    context = browser.new_context()
    with watched() as seen, served(seen, wait_s=0.05) as address:
        page = context.new_page()
        answer = page.goto(address)
        assert answer.status == 503
        assert page.get_by_role("heading", name="No report yet").is_visible()

        until(seen.board.wants_look, what="the page was asked for")
        seen.tick()
        page.get_by_role("heading", name="GPU recommendations").wait_for(timeout=20_000)

        assert names(page) == ["team/chat"]
    context.close()


def test_a_browser_asks_its_user_for_the_token(browser, tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN)
    with reported() as seen, served(seen, token=TokenFile(path)) as address:
        credentials = {"username": "anyone", "password": TOKEN}
        context = browser.new_context(http_credentials=credentials)
        page = context.new_page()
        answer = page.goto(address)

        assert answer.status == 200
        assert names(page) == ["team/chat"]
        context.close()
