"""The page in a real browser, from a file and without a network."""

import pytest

from recommender.report.page import render_page
from tests.recommender.report.fleets import varied_report

WORKLOADS = 7


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(render_page(varied_report()), encoding="utf-8")
    return file.as_uri()


@pytest.fixture
def open_page(browser, address):
    """Open the page; afterwards nothing may have been logged, raised or requested."""
    contexts, complaints = [], []

    def opened(*, width=1280, fragment="", **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url))
        page.goto(address + fragment)
        complaints.remove(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [text for text in complaints if text != "data:,"] == []


def names(page):
    return page.locator("tbody[id]:visible th a").all_inner_texts()


def test_every_workload_is_shown_with_risk_first(open_page):
    page = open_page()

    severities = page.locator("tr.r td:first-child .sev").all_inner_texts()
    assert severities == [
        "CRITICAL",
        "CRITICAL",
        "WARNING",
        "SAVING",
        "UNKNOWN",
        "UNSET",
        "OK",
    ]
    assert page.locator("#shown").inner_text() == f"{WORKLOADS} of {WORKLOADS} workloads"


def test_a_heading_sorts_and_says_so(open_page):
    page = open_page()
    heading = page.locator("#workloads thead th", has_text="Workload")
    button = page.get_by_role("button", name="Workload")

    button.click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert names(page) == sorted(names(page))
    button.click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert names(page) == sorted(names(page), reverse=True)
    page.get_by_role("button", name="Severity").click()
    assert heading.get_attribute("aria-sort") is None


def test_workloads_without_a_price_are_last_in_both_directions(open_page):
    page = open_page()
    for _ in range(2):
        page.get_by_role("button", name="Saving", exact=True).click()

        assert set(names(page)[-2:]) == {"default/trial <b>& co</b>", "vision/detector"}


def test_sorting_works_from_the_keyboard(open_page):
    page = open_page()
    page.get_by_role("button", name="Workload").focus()
    page.keyboard.press("Enter")

    assert names(page)[0].startswith("default/")


def test_a_severity_tile_filters_and_shows_its_state(open_page):
    page = open_page()
    tile = page.get_by_role("button", name="UNSET")

    tile.click()
    assert tile.get_attribute("aria-pressed") == "true"
    assert names(page) == ["default/trial <b>& co</b>"]
    page.get_by_role("button", name="UNKNOWN").click()
    assert len(names(page)) == 2
    tile.click()
    assert tile.get_attribute("aria-pressed") == "false"
    assert names(page) == ["vision/ocr-batch"]


def test_search_and_selects_narrow_together(open_page):
    page = open_page()

    page.get_by_label("Namespace").select_option("search")
    assert len(names(page)) == 3
    page.get_by_label("Search").fill("refused allocation")
    assert names(page) == ["search/llama-70b-chat"]
    page.get_by_label("Search").fill("nothing like this")
    assert names(page) == []
    assert page.get_by_text("No workload matches.").is_visible()
    page.get_by_label("Search").fill("")
    page.get_by_label("Namespace").select_option("")
    page.get_by_label("Pool").select_option("research")
    assert sorted(names(page)) == ["vision/labelling-notebook", "vision/ocr-batch"]


def test_details_show_plots_reasons_and_the_command(open_page):
    page = open_page()
    details = page.locator("tbody[id] details").first
    details.locator("summary").click()

    assert details.locator("svg.plot").count() == 2
    assert details.get_by_role("img", name="mean use").count() == 2
    box = details.locator("svg.plot").first.bounding_box()
    assert box["width"] > 300
    assert details.locator("ol li").first.is_visible()
    assert "kubectl -n search patch deployment" in details.locator("pre").last.inner_text()


def test_a_link_to_a_workload_opens_its_details(open_page):
    anchor = open_page().locator("tbody[id]").nth(3).get_attribute("id")
    page = open_page(fragment=f"#{anchor}")

    opened = [row.get_attribute("id") for row in page.locator("tbody:has(details[open])").all()]
    assert opened == [anchor]


@pytest.mark.parametrize("width", [1280, 768, 390, 320])
def test_nothing_is_wider_than_the_window(open_page, width):
    page = open_page(width=width)
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    clipped = page.evaluate(
        """[...document.querySelectorAll('svg.plot text')].filter((text) => {
            const [inner, outer] = [text, text.ownerSVGElement].map((e) =>
                e.getBoundingClientRect());
            return inner.right > outer.right + 1 || inner.left < outer.left - 1;
        }).map((text) => text.textContent)"""
    )
    assert clipped == []


def test_a_narrow_page_can_be_sorted_too(open_page):
    page = open_page(width=390)
    page.get_by_label("Sort").select_option("name")

    assert names(page) == sorted(names(page))
    assert not open_page().get_by_label("Sort").is_visible()


def test_without_a_script_everything_is_there_and_no_dead_control_is(open_page):
    page = open_page(java_script_enabled=False)

    assert page.locator("tbody[id]").count() == WORKLOADS
    assert not page.locator(".tools").is_visible()
    assert page.locator("button:enabled").count() == 0
    summary = page.locator("tbody[id] summary").first
    summary.click()
    assert page.get_by_text("margin: 38.3 → 44 GiB").is_visible()


def contrast(page, selector):
    """Return the WCAG contrast of an element's text with what lies behind it."""
    return page.locator(selector).first.evaluate(
        """(element) => {
        const parse = (color) => color.match(/[\\d.]+/g).map(Number);
        const light = (color) => parse(color).slice(0, 3).map((v) => v / 255)
            .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        let behind = element;
        const paint = (e) => getComputedStyle(e).backgroundColor;
        while ((parse(paint(behind))[3] ?? 1) === 0) behind = behind.parentElement;
        const [a, b] = [light(getComputedStyle(element).color), light(paint(behind))];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }"""
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast_in_both_schemes(open_page, scheme):
    page = open_page(color_scheme=scheme)
    severities = ["CRITICAL", "WARNING", "SAVING", "UNKNOWN", "UNSET", "OK"]
    selectors = [f".sev.{name}" for name in severities]
    selectors += ["h1", ".sub", "tbody small", "thead button", "tbody summary", ".up", ".down"]

    low = {name: ratio for name in selectors if (ratio := contrast(page, name)) < 4.5}
    assert low == {}


def test_the_schemes_differ(open_page):
    backgrounds = {
        open_page(color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    }

    assert backgrounds == {"rgb(247, 247, 245)", "rgb(20, 23, 27)"}


def test_the_embedded_data_is_json(open_page):
    page = open_page()

    schema = page.evaluate("JSON.parse(document.getElementById('report').textContent).schema")
    assert schema == "tensorfusion-report/v1"


def test_controls_are_hidden_in_print(open_page):
    page = open_page()
    page.emulate_media(media="print")

    assert not page.locator(".tools").is_visible()
    assert page.locator("tbody[id]").first.is_visible()
