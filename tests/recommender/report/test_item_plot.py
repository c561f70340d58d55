import xml.etree.ElementTree as ET

from hypothesis import given

from recommender.report.item_plot import item_plot
from recommender.report.model import REPLICAS
from recommender.resources import GIB
from tests.recommender.report.builders import Row, report, tflops, vram
from tests.recommender.report.strategies import sized_items

ROW = Row(
    tflops=tflops(blocks=(5.0, 20.0, 10.0), target_request=9.0),
    vram=vram(blocks=(6 * GIB, 7 * GIB), target_limit=10 * GIB),
)


def words(resource):
    item = next(item for item in report(ROW).items if item.resource == resource)
    return ET.fromstring(item_plot(item)).get("aria-label")


def test_what_was_measured_is_in_force_and_is_recommended_are_lines():
    text = words("tflops")

    assert text.startswith("use: mean ")
    assert "highest 20; " in text
    assert "; request: mean 12, highest 12; limit: mean 24, highest 24; " in text
    assert text.endswith(
        "; rec. request: mean 9, highest 9; rec. limit: mean 24, highest 24 (TFLOPS)"
    )


def test_vram_is_shown_in_gib():
    text = words("vram_bytes")

    assert "highest 7; request: mean 8, highest 8; " in text
    assert text.endswith("rec. limit: mean 10, highest 10 (GiB)")


def test_what_was_held_back_is_called_demand():
    row = Row(tflops=tflops(blocks=(5.0, 20.0), at_limit_share=0.2))

    assert '"demand: ' in item_plot(report(row).items[0])


def test_an_amount_that_nobody_stated_has_no_line():
    row = Row(tflops=tflops(blocks=(5.0, 20.0), limit=float("nan")))

    assert "; limit: " not in item_plot(report(row).items[0])


def test_replicas_have_no_plot():
    item = next(item for item in report(ROW).items if item.resource == REPLICAS)

    assert item_plot(item) == ""


@given(sized_items)
def test_every_item_has_a_well_formed_plot_or_none(item):
    svg = item_plot(item)

    assert bool(svg) == (item.evidence.series is not None)
    assert not svg or ET.fromstring(svg).get("role") == "img"
    assert "nan" not in svg
