import json
from dataclasses import replace

from hypothesis import given

from recommender.report.diff import (
    DiffKind,
    compare,
    render_diff_json,
    render_diff_table,
)
from recommender.resources import GIB
from tests.recommender.report.builders import Row, report, tflops, vram
from tests.recommender.report.strategies import slim_reports

OLD = report(Row(), Row(workload="gone"), with_what_if=False)
NEW = report(
    Row(tflops=tflops(target_request=6.0), vram=vram(denials=1, target_limit=10 * GIB)),
    Row(workload="new", tflops=tflops(p95=30.0, target_request=33.0, target_limit=40.0)),
    with_what_if=False,
)


def differences(old, new):
    return [
        (str(entry.kind), entry.item.name, entry.item.resource)
        for entry in compare(old, new).entries
    ]


def test_new_gone_and_changed_items_are_told_apart_most_urgent_first():
    assert differences(OLD, NEW) == [
        ("changed", "team-a/chat", "vram_bytes"),
        ("new", "team-a/new", "tflops"),
        ("changed", "team-a/chat", "tflops"),
        ("gone", "team-a/gone", "tflops"),
        ("gone", "team-a/gone", "vram_bytes"),
        ("gone", "team-a/gone", "replicas"),
        ("new", "team-a/new", "vram_bytes"),
        ("new", "team-a/new", "replicas"),
    ]
    assert compare(OLD, NEW).unchanged == 1


def test_amounts_that_differ_by_less_than_a_percent_are_the_same():
    def with_target(value):
        return report(Row(tflops=tflops(target_request=value)))

    assert differences(with_target(6.0), with_target(6.05)) == []
    assert differences(with_target(6.0), with_target(6.07)) == [
        ("changed", "team-a/chat", "tflops")
    ]


def test_a_risk_that_is_new_or_graver_is_worse():
    entries = compare(OLD, NEW).entries

    assert [entry.item.name for entry in entries if entry.is_worse] == [
        "team-a/chat",
        "team-a/new",
    ]
    assert not any(entry.is_worse for entry in compare(NEW, OLD).entries)


@given(slim_reports())
def test_a_report_does_not_differ_from_itself(some_report):
    items = {(*item.identity.key, item.resource): item for item in some_report.items}
    unique = replace(some_report, items=tuple(items.values()))

    diff = compare(unique, unique)

    assert (diff.entries, diff.unchanged) == ((), len(items))


@given(slim_reports(), slim_reports())
def test_what_is_new_one_way_is_gone_the_other_way(one, other):
    def keys(diff, kind):
        return {
            (entry.item.identity.key, entry.item.resource)
            for entry in diff.entries
            if entry.kind is kind
        }

    there, back = compare(one, other), compare(other, one)

    assert keys(there, DiffKind.NEW) == keys(back, DiffKind.GONE)
    assert keys(there, DiffKind.CHANGED) == keys(back, DiffKind.CHANGED)


def test_the_table_shows_verdicts_and_amounts_of_both_sides():
    text = render_diff_table(compare(OLD, NEW))

    assert "changed     team-a/chat  OK -> CRITICAL  8 GiB" in text
    assert "8 -> 10 GiB" in text
    assert "12 -> 6 TFLOPS" in text
    assert text.endswith("3 new, 3 gone, 2 changed, 1 unchanged\n")


def test_two_equal_reports_are_said_to_be_equal():
    assert render_diff_table(compare(OLD, OLD)) == "No differences in 6 items.\n"


def test_the_json_holds_base_units_of_both_sides():
    plain = json.loads(render_diff_json(compare(OLD, NEW)))

    assert plain["schema"] == "tensorfusion-report-diff/v1"
    first = plain["entries"][0]
    assert (first["kind"], first["is_worse"]) == ("changed", True)
    assert first["before"]["recommended_limit"] == 8 * GIB
    assert first["after"]["recommended_limit"] == 10 * GIB
    assert plain["entries"][1]["before"] is None
