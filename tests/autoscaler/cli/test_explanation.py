from dataclasses import replace

from autoscaler.cli.explanation import explanation
from recommender.decision import Code
from recommender.report.model import Window
from tests.recommender.report.builders import NAN, NOW_S, Row, report, tflops, vram

DAY_S = 86_400


def told(row, **meta):
    """Return the explanation of one workload, by the resource of each item."""
    built = report(row, **meta)
    head, *parts = explanation(built.items, built.meta).split("\n\n")
    return {"head": head} | {part.partition(":")[0]: part for part in parts}


def test_what_a_limit_held_back_is_called_demand_and_says_how_often():
    text = told(Row(tflops=tflops(at_limit_share=0.6, highest=29.7)))["tflops"]

    assert (
        "    held back by its limit or its share of the GPU in 60 % of the minutes: what follows "
        "is demand, the use and an estimate of what was held back\n"
    ) in text
    assert "    demand: mean 8.91 TFLOPS, " in text
    assert "max 29.7 TFLOPS (percentiles of the 5-minute peaks, 7 d at most)\n" in text
    assert "request: slack 40 %, demand above it in 1.2 % of the 5-minute blocks" in text
    assert " of the minutes" not in text.replace("60 % of the minutes", "")


def test_what_nothing_held_back_is_called_use():
    text = told(Row())

    for resource in ("tflops", "vram_bytes"):
        assert "    use: mean " in text[resource]
        assert "held back" not in text[resource]
        assert "use above it in " in text[resource]


def test_a_histogram_tells_no_more_than_the_end_of_its_step():
    assert "p95 of demand over time is at most 10.4 TFLOPS" in told(Row())["tflops"]


def test_the_head_tells_what_was_measured_beside_what_was_asked_for():
    window = Window(start_s=NOW_S - 14 * DAY_S, end_s=NOW_S, step_s=60)
    head = told(Row(span_s=3 * DAY_S), window=window)["head"]

    assert head.splitlines()[-1] == (
        "    measured from 2026-09-18 14:09 UTC to 2026-09-21 14:09 UTC "
        "(3 d; asked for 14 d until 2026-09-21 14:10 UTC)"
    )


def test_no_plot_reaches_beyond_the_time_of_the_report():
    now_s = NOW_S - 600
    built = report(Row())
    meta = replace(built.meta, window=replace(built.meta.window, end_s=now_s))
    text = explanation(built.items, meta)

    assert "2026-09-21 14:00 UTC\n" in text
    assert "2026-09-21 14:10 UTC\n" not in text


def test_replicas_without_a_stated_limit_tell_what_is_in_force_and_what_to_do():
    text = told(Row(target_replicas=NAN, unknown_replicas=Code.NoStatedLimit))["replicas"]

    assert text.startswith("replicas: UNSET (TF-NO-STATED-LIMIT)\n    no compute limit is stated")
    assert "  in force\n    replicas 2 replicas\n" in text
    assert "recommended" not in text


def test_what_is_in_force_is_told_where_nothing_can_be_recommended():
    size = vram(
        limit=NAN, target_request=NAN, target_limit=NAN, unknown=Code.NotEnoughHistory, points=3
    )
    text = told(Row(vram=size))["vram_bytes"]

    assert "  in force\n    request  8 GiB (profile team/small)\n  confidence\n" in text
