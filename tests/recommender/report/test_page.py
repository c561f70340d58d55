import gzip
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given, settings

from recommender.report.jsonform import read_report
from recommender.report.page import render_page
from recommender.report.svg import plot
from recommender.resources import GIB
from tests.recommender.report.builders import NAN, Row, change, report, tflops, vram
from tests.recommender.report.fleets import large_report, varied_report
from tests.recommender.report.strategies import reports, sized_items

PAGE = render_page(varied_report())


class Elements(HTMLParser):
    """All start tags with their attributes, and all texts outside script and style."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self._hidden = [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag if tag in {"script", "style"} else self._hidden

    def handle_endtag(self, tag):
        self._hidden = None if tag == self._hidden else self._hidden

    def handle_data(self, data):
        if self._hidden is None:
            self.texts.append(data)


def embedded(page):
    return re.search(r"<script type=.application/json. id=report>(.*?)</script>", page, re.DOTALL)[
        1
    ]


def test_the_page_needs_nothing_from_outside():
    tags = Elements(PAGE).tags

    addresses = [attrs[name] for _, attrs in tags for name in ("src", "href") if name in attrs]
    assert {address[0] for address in addresses} == {"#", "d"}
    assert [address for address in addresses if address[0] == "d"] == ["data:,"]
    assert "url(" not in PAGE
    assert "@import" not in PAGE


def test_style_and_script_are_allowed_by_hash_and_nothing_is_styled_inline():
    tags = Elements(PAGE).tags
    policy = next(
        attrs["content"]
        for tag, attrs in tags
        if attrs.get("http-equiv") == "Content-Security-Policy"
    )

    assert policy.startswith("default-src 'none'")
    assert policy.count("sha256-") == 2
    assert "unsafe" not in policy
    assert not any("style" in attrs or "onclick" in attrs for _, attrs in tags)


def test_every_workload_has_a_row_an_anchor_and_details():
    tags = Elements(PAGE).tags
    anchors = [attrs["id"] for tag, attrs in tags if tag == "tbody" and "id" in attrs]

    assert len(anchors) == len(set(anchors)) == 7
    links = {attrs["href"] for tag, attrs in tags if tag == "a"}
    assert links == {f"#{anchor}" for anchor in anchors}
    assert [tag for tag, _ in tags].count("details") == 7 + 1


@pytest.mark.parametrize(
    "text",
    [
        "a VRAM allocation was refused 3 times in the last 7 days",
        "TF-VRAM-PEAK-NEAR-LIMIT",
        "p95 of demand over time is at most 29.6 TFLOPS",
        "Had this been in force for the last 7 d",
        "request exceeded 1.2 % of the time (now 0 %), 40 % above use (now 210 %)",
        "hindsight: 0 % of the 5-minute peaks above the recommended limit",
        "estimated, price: workloads file",
        "rolled back",
        'tf_worker_compute_tflops{method="sm_time"}',
        "kubectl -n search patch deployment llama-70b-chat",
        "Next step: request 48 TFLOPS.",
        "missing: 9 min of 2 d of history",
        "the server gave up after 60 s",
        "1 skipped: no GPU metrics",
        "requests.compute.percentile 0.95 (profile team/small)",
        "VRAM peak above 95 % of the limit",
        "mean demand",
        "minutes held back",
        "measured from 2026-09-14 14:09 UTC to 2026-09-21 14:09 UTC",
    ],
)
def test_everything_is_in_the_page_without_a_script(text):
    assert text in "".join(Elements(PAGE).texts)


def test_the_embedded_json_is_a_report():
    built = varied_report()
    data = read_report(embedded(PAGE))

    assert [item.verdict for item in data.items] == [item.verdict for item in built.items]


EVIL = "</script><script>alert(1)</script><!-- \"' & \u2028"


def test_no_name_can_end_its_element():
    row = Row(
        namespace=EVIL,
        workload=EVIL,
        gpu_model=EVIL,
        tflops=tflops(target_request=6.0),
        subject=replace(
            Row().subject, owner=EVIL, pool=EVIL, labels={EVIL: EVIL}, promql={"tflops": (EVIL,)}
        ),
    )
    history = {(EVIL, EVIL): (change(reason=EVIL, outcome=EVIL),)}
    page = render_page(report(row, history=history, cluster=EVIL, source=EVIL, notes=(EVIL,)))

    assert "alert(1)</script>" not in page
    assert page.count("</script>") == 2
    assert read_report(embedded(page)).items[0].identity.namespace == EVIL


@settings(max_examples=30)
@given(reports())
def test_every_report_makes_a_page_with_its_data(some_report):
    page = render_page(some_report)

    data = read_report(embedded(page))
    assert [item.verdict for item in data.items] == [item.verdict for item in some_report.items]


@given(sized_items)
def test_every_plot_is_well_formed_and_has_a_text_alternative(item):
    svg = plot(item)
    if not svg:
        return
    quoted = re.sub(r"=([\w-]+)(?=[ >])", r'="\1"', svg)
    root = ET.fromstring(quoted)

    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"].startswith(("mean use ", "mean demand "))
    assert "nan" not in svg


def test_lines_of_a_plot_are_labelled_and_labels_do_not_cover_each_other():
    size = vram(limit=8.1 * GIB, target_request=8.2 * GIB, target_limit=8.3 * GIB)
    svg = plot(report(Row(vram=size)).items[1])

    labels = re.findall(r"<text x=292 y=(\d+)>([^<]*)<", svg)
    assert sorted(name for _, name in labels) == [
        "limit 8.1",
        "rec. limit 8.3",
        "rec. request 8.2",
        "request 8",
    ]
    heights = sorted(int(y) for y, _ in labels)
    assert min(b - a for a, b in pairwise(heights)) >= 12


def test_a_gap_in_the_measurements_is_a_gap_in_the_plot():
    blocks = (*[5.0] * 28, *[NAN] * 28, *[5.0] * 28)
    svg = plot(report(Row(tflops=tflops(blocks=blocks))).items[0])

    band = re.search(r'class=band d="([^"]*)"', svg)[1]
    assert band.count("M") == band.count("z") == 2


def test_constant_use_is_a_line_that_is_stroked_unlike_the_filled_band():
    size = tflops(blocks=(5.0,) * 84)
    built = report(Row(tflops=size))
    series = built.items[0].evidence.series
    flat = replace(series, mean=series.highest)
    item = replace(built.items[0], evidence=replace(built.items[0].evidence, series=flat))

    band = re.search(r'class=band d="([^"]*)"', plot(item))[1]
    steps = re.findall(r"-?\d+", band.partition("l")[2])
    assert set(steps[1::2]) == {"0"}
    assert re.search(r"\.band\{fill:var\(--band\);stroke:var\(--use\)", render_page(built))


def test_notes_are_a_list_of_sentences():
    notes = ("some answers were partial", "team-a/chat is measured twice.", "DCGM has no limits")
    page = render_page(report(notes=notes))

    assert "<li>Some answers were partial.<li>team-a/chat is measured twice.<li>DCGM has" in page


def test_what_was_held_back_is_called_demand_and_what_was_not_is_use():
    def words(size):
        return "".join(Elements(render_page(report(Row(tflops=size)))).texts)

    held, free = words(tflops(at_limit_share=0.6)), words(tflops())
    for text in ("mean demand", "highest demand", "minutes held back60 %", "40 % above demand"):
        assert text in held
        assert text not in free
    assert "highest use" in free


def test_the_queries_of_a_workload_are_listed_once():
    subject = replace(Row().subject, promql={"tflops": ("a", "b"), "vram_bytes": ("b", "c")})

    assert "<pre>a\nb\nc</pre>" in render_page(report(Row(subject=subject)))


def test_a_plot_without_measurements_is_left_out():
    assert plot(report(Row(tflops=tflops(highest=NAN))).items[0]) == ""


def test_the_page_of_500_workloads_is_small():
    page = render_page(large_report(500)).encode()

    assert len(page) < 4e6
    assert len(gzip.compress(page)) < 1e6


def test_a_report_without_items_says_so():
    built = varied_report()
    empty = replace(built, items=(), errors=())

    assert "There is no item in this report." in render_page(empty)
