from dataclasses import replace

from hypothesis import given

from recommender.report.model import Window
from recommender.report.select import Selection, selected
from recommender.report.window import measured_window, window_text
from tests.recommender.report.builders import NAN, NOW_S, Row, report, tflops, vram
from tests.recommender.report.strategies import reports

DAY_S = 86_400
ASKED = Window(start_s=NOW_S - 14 * DAY_S, end_s=NOW_S, step_s=60)
EMPTY = {"last_sample_age_s": NAN, "points": 0}


def aged(seconds):
    return {
        "tflops": tflops(last_sample_age_s=seconds),
        "vram": vram(last_sample_age_s=seconds),
    }


def test_the_measured_time_begins_with_the_first_workload_and_ends_with_the_last():
    built = report(
        Row(workload="old", span_s=3 * DAY_S, **aged(3600.0)),
        Row(workload="new", span_s=DAY_S, **aged(60.0)),
        window=ASKED,
    )

    window = built.meta.window
    assert (window.start_s, window.end_s) == (ASKED.start_s, ASKED.end_s)
    assert window.first_sample_s == NOW_S - 3600 - 3 * DAY_S
    assert window.last_sample_s == NOW_S - 60


def test_a_selection_tells_its_own_measured_time():
    built = report(
        Row(workload="old", span_s=3 * DAY_S, **aged(3600.0)),
        Row(workload="new", span_s=DAY_S, **aged(60.0)),
        window=ASKED,
    )

    kept = selected(built, Selection(workloads=("new",))).meta.window
    assert (kept.first_sample_s, kept.last_sample_s) == (NOW_S - 60 - DAY_S, NOW_S - 60)


def test_nothing_measured_is_no_time():
    built = report(Row(tflops=tflops(**EMPTY), vram=vram(**EMPTY)), window=ASKED)

    assert built.meta.window == ASKED


def test_a_shorter_record_stands_beside_what_was_asked_for():
    window = replace(ASKED, first_sample_s=NOW_S - 3 * DAY_S, last_sample_s=NOW_S - 60)

    assert window_text(window) == (
        "measured from 2026-09-18 14:10 UTC to 2026-09-21 14:09 UTC "
        "(3 d; asked for 14 d until 2026-09-21 14:10 UTC)"
    )


def test_a_record_that_ended_early_says_so():
    window = replace(ASKED, first_sample_s=ASKED.start_s, last_sample_s=NOW_S - 3120)

    assert window_text(window).endswith("; asked for 14 d until 2026-09-21 14:10 UTC)")


def test_a_whole_record_is_told_once():
    window = replace(ASKED, first_sample_s=ASKED.start_s, last_sample_s=NOW_S - 60)

    assert window_text(window) == ("measured from 2026-09-07 14:10 UTC to 2026-09-21 14:09 UTC")


def test_a_report_that_does_not_tell_what_was_measured_tells_what_was_asked_for():
    assert window_text(ASKED) == "asked for 14 d until 2026-09-21 14:10 UTC"


@given(reports())
def test_measuring_again_changes_nothing(some_report):
    once = measured_window(some_report.meta.window, some_report.items)

    assert measured_window(once, some_report.items) == once
