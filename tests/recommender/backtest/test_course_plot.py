import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from recommender.backtest.course_plot import (
    HEIGHT,
    MOST_POINTS,
    WIDTH,
    course_plot,
    forecast_plot,
)
from recommender.backtest.forecast_course import ForecastCourse
from recommender.decision import Layer
from recommender.errors import ContractError
from tests.recommender.backtest.frames import MIDNIGHT_S, frame_of

SVG = "{http://www.w3.org/2000/svg}"


def drawn(times_s, lines, unit="TFLOPS"):
    text = course_plot(times_s, lines, unit).replace(
        "<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '
    )
    return ET.fromstring(text)


def paths_of_lines(svg):
    return [path.get("d") for path in svg.iter(f"{SVG}path") if path.get("stroke-width")][::2]


def test_every_line_has_its_own_dash_and_its_name():
    times_s = np.arange(5) * 300
    svg = drawn(times_s, {"use": np.ones(5), "limit": np.full(5, 2.0), "without": np.full(5, 3.0)})

    pens = [p.get("stroke-dasharray") for p in svg.iter(f"{SVG}path") if p.get("stroke-width")]
    assert len(set(pens)) == 3
    assert {"use", "limit", "without"} <= {text.text for text in svg.iter(f"{SVG}text")}


def test_it_is_told_in_words_too():
    svg = drawn(np.arange(3) * 60, {"use": np.array([1.0, np.nan, 3.0])})

    assert svg.get("aria-label") == "use: mean 2, highest 3 (TFLOPS)"


def test_a_line_without_values_says_nothing_and_draws_nothing():
    svg = drawn(np.arange(3) * 60, {"use": np.ones(3), "limit": np.full(3, np.nan)})

    assert "limit: nothing" in svg.get("aria-label")
    assert paths_of_lines(svg)[1] == ""


def test_a_gap_is_a_gap():
    svg = drawn(np.arange(4) * 60, {"use": np.array([1.0, np.nan, 1.0, 1.0])})

    assert paths_of_lines(svg)[0].count("M") == 2


def test_a_long_line_keeps_its_peaks_in_few_points():
    use = np.ones(10 * MOST_POINTS)
    use[4_321] = 7.0
    svg = drawn(np.arange(len(use)) * 60, {"use": use})

    assert paths_of_lines(svg)[0].count("H") <= MOST_POINTS
    assert "highest 7 (" in svg.get("aria-label")
    assert paths_of_lines(svg)[0].count("V22.") == 1


def test_names_are_escaped():
    svg = drawn(np.arange(2) * 60, {"<b>&": np.ones(2)})

    assert "<b>&" in {text.text for text in svg.iter(f"{SVG}text")}


@given(
    values=arrays.arrays(
        np.float64,
        st.integers(1, 1200),
        elements=st.floats(0, 1e15, allow_subnormal=False) | st.just(np.nan),
    ),
    step_s=st.sampled_from([15, 60, 3600]),
)
def test_everything_lies_within_the_picture(values, step_s):
    svg = drawn(np.arange(len(values)) * step_s, {"use": values})

    for path in svg.iter(f"{SVG}path"):
        numbers = [float(number) for number in re.findall(r"[-\d.]+", path.get("d"))]
        assert all(0 <= number <= max(WIDTH, HEIGHT) for number in numbers)


@pytest.mark.parametrize("count", [0, 6])
def test_too_few_and_too_many_lines_are_refused(count):
    with pytest.raises(ContractError, match="allowed: 1 to 5"):
        course_plot(np.arange(2), {str(i): np.ones(2) for i in range(count)}, "TFLOPS")


@pytest.mark.parametrize("times", [0, 3])
def test_lines_of_another_length_are_refused(times):
    with pytest.raises(ContractError, match="other lengths"):
        course_plot(np.arange(times), {"use": np.ones(2 if times else 0)}, "TFLOPS")


def test_a_forecast_is_shown_beside_the_busiest_worker_and_the_histogram():
    use = np.stack([np.full(30, 2.0), np.full(30, 3.0), np.full(30, 50.0)])
    frame = frame_of(use, series=[("team", "a", "0"), ("team", "a", "1"), ("team", "b", "0")])
    course = ForecastCourse(
        layer=Layer.LIMITS,
        resource=0,
        until_s=MIDNIGHT_S + np.array([300, 600]),
        forecast=np.array([[4.0, 60.0], [6.0, 60.0]]),
        histogram=np.array([[8.0, 60.0], [8.0, 60.0]]),
        gate=np.zeros((2, 2), np.int64),
        delay_s=0,
        ahead_s=np.array([600, 600]),
        level=np.array([0.99, 0.99]),
        shares=np.zeros((2, 1)),
    )
    times = {"start_s": MIDNIGHT_S, "end_s": MIDNIGHT_S + 900}
    text = forecast_plot(frame, course, 0, **times)

    assert "use: mean 3, highest 3; forecast: mean 5, highest 6; histogram: mean 8" in text
    assert ">TFLOPS</text>" in text
