from hypothesis import given
from hypothesis import strategies as st

from autoscaler.cli.plot import ROWS, text_plot
from recommender.report.blocks import UsageSeries

points = st.lists(st.one_of(st.none(), st.floats(0, 1e6, allow_nan=False)), min_size=1, max_size=84)


def series_of(mean, highest=None):
    return UsageSeries(start_s=0, step_s=300, mean=tuple(mean), highest=tuple(highest or mean))


def test_columns_are_as_high_as_their_share_of_the_top():
    plot = text_plot(series_of([0.0, 5.0, 10.0]), "tflops", {}).splitlines()
    columns = list(zip(*(line[1:4] for line in plot[:ROWS]), strict=True))
    heights = [sum(cell == "#" for cell in column) for column in columns]
    assert heights == [0, 6, ROWS]


def test_peaks_stand_above_the_mean():
    plot = text_plot(series_of([1.0], [10.0]), "tflops", {}).splitlines()
    cells = [line[1] for line in plot[:ROWS]]
    assert (cells[0], cells[-1]) == (":", "#")


def test_levels_are_named_with_their_amount_and_may_lie_above_all_use():
    plot = text_plot(series_of([1.0]), "vram_bytes", {"limit": 2.0**33, "request": None})
    assert "| limit 8 GiB" in plot
    assert "request" not in plot


def test_the_axis_ends_now_though_the_last_point_stands_for_longer():
    plot = text_plot(series_of([1.0, 2.0]), "tflops", {}, end_s=400)
    assert "1970-01-01 00:00 UTC to 1970-01-01 00:06 UTC" in plot
    assert "to 1970-01-01 00:10 UTC" in text_plot(series_of([1.0, 2.0]), "tflops", {}, end_s=900)


@given(points)
def test_every_line_has_one_cell_per_point(mean):
    lines = text_plot(series_of(mean), "tokens", {"limit": 3.0}).splitlines()
    assert {line.index("|", 1) for line in lines[:ROWS]} == {len(mean) + 1}
