import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.decision import Code
from recommender.errors import InvalidValueError
from recommender.report.blocks import Severity
from recommender.report.grouping import by_workload, grouped
from recommender.report.select import (
    RISKS,
    Only,
    Selection,
    SortKey,
    ordered,
    selected,
    visible,
)
from recommender.resources import GIB
from tests.recommender.report.builders import NAN, Row, report, tflops, vram
from tests.recommender.report.fleets import varied_report
from tests.recommender.report.strategies import item_lists, slim_reports

selections = st.builds(
    Selection,
    namespaces=st.sampled_from([(), ("a",), ("team-*",), ("a", "b")]),
    workloads=st.sampled_from([(), ("a*",), ("a/*",)]),
    min_severity=st.none() | st.sampled_from(Severity),
    min_change_ratio=st.none() | st.floats(0, 2),
    min_confidence=st.none() | st.sampled_from("ABCD"),
    only=st.none() | st.sampled_from(Only),
)


@given(slim_reports(), selections)
def test_selecting_twice_is_selecting_once(some_report, selection):
    once = selected(some_report, selection)

    assert selected(once, selection) == once


@given(slim_reports(), selections, selections)
def test_the_order_of_two_selections_does_not_matter(some_report, first, second):
    one = selected(selected(some_report, first), second)
    other = selected(selected(some_report, second), first)

    def names(chosen):
        return [(item.identity, item.resource) for item in chosen.items]

    assert names(one) == names(other)


@given(slim_reports(), st.sampled_from(SortKey))
def test_sorting_keeps_every_item_and_is_idempotent(some_report, key):
    once = ordered(some_report, key)

    assert sorted(map(id, once.items)) == sorted(map(id, some_report.items))
    assert ordered(once, key) == once


@given(slim_reports(), st.sampled_from([SortKey.RISK, SortKey.MONEY, SortKey.CHANGE]))
def test_risk_stands_before_saving_in_every_order(some_report, key):
    severities = [item.severity for item in ordered(some_report, key).items]
    risks = [severity for severity in severities if severity in RISKS]

    assert severities[: len(risks)] == risks
    assert risks == sorted(risks, key=lambda severity: severity.rank)


@given(slim_reports(), selections, st.sampled_from(SortKey))
def test_sorting_and_selecting_commute_in_the_items_they_leave(some_report, selection, key):
    def names(chosen):
        return {(item.identity.key, item.resource, item.verdict) for item in chosen.items}

    assert names(ordered(selected(some_report, selection), key)) == names(
        selected(ordered(some_report, key), selection)
    )


@given(item_lists(), st.booleans(), st.none() | st.integers(0, 5))
def test_what_is_shown_and_what_is_counted_adds_up(items, include_ok, limit):
    shown = visible(items, include_ok=include_ok, limit=limit)

    assert len(shown.items) + shown.hidden_ok + shown.beyond_limit == len(items)
    assert include_ok or all(item.severity is not Severity.OK for item in shown.items)


@given(item_lists(), st.sampled_from([None, "namespace", "pool", "label:a"]))
def test_groups_hold_every_item_once(items, by):
    parts = grouped(items, by)

    assert sorted(id(item) for _, part in parts for item in part) == sorted(map(id, items))
    assert sum(len(group.items) for group in by_workload(items)) == len(items)


def names_of(chosen):
    return sorted({item.identity.workload for item in chosen.items})


def test_namespaces_and_workloads_are_globs():
    fleet = varied_report()

    assert names_of(selected(fleet, Selection(namespaces=("vis*",)))) == [
        "detector",
        "labelling-notebook",
        "ocr-batch",
    ]
    assert names_of(selected(fleet, Selection(workloads=("search/re*", "detector")))) == [
        "detector",
        "reranker",
    ]
    assert names_of(selected(fleet, Selection(pools=("research",)))) == [
        "labelling-notebook",
        "ocr-batch",
    ]


@pytest.mark.parametrize(
    ("only", "severities"),
    [
        (Only.SAVINGS, {Severity.SAVING}),
        (Only.RISKS, {Severity.CRITICAL, Severity.WARNING}),
        (Only.UNKNOWN, {Severity.UNKNOWN}),
    ],
)
def test_only_one_kind_can_be_kept(only, severities):
    kept = selected(varied_report(), Selection(only=only))

    assert {item.severity for item in kept.items} == severities


def test_a_least_severity_keeps_what_is_as_urgent():
    kept = selected(varied_report(), Selection(min_severity=Severity.WARNING))

    assert {item.severity for item in kept.items} == {Severity.CRITICAL, Severity.WARNING}


def test_a_least_confidence_keeps_better_grades():
    kept = selected(varied_report(), Selection(min_confidence="B"))

    assert {item.confidence.grade for item in kept.items} == {"A"}


def test_a_least_change_counts_limits_too_and_drops_items_without_change():
    built = report(
        Row(workload="limit", tflops=tflops(target_limit=48.0)),
        Row(workload="small", tflops=tflops(target_request=11.0)),
        Row(workload="unset", tflops=tflops(request=NAN, limit=NAN)),
    )
    kept = selected(built, Selection(min_change_ratio=0.1))

    assert names_of(kept) == ["limit"]


def test_totals_describe_what_is_left_and_say_what_was_selected():
    fleet = varied_report()
    kept = selected(fleet, Selection(namespaces=("search",), min_change_ratio=0.1))
    totals = kept.meta.totals

    assert kept.meta.filters == ("namespace search", "change at least 10 %")
    assert sum(totals.severities.values()) == len(kept.items)
    assert (totals.releasable_gpus, totals.pools) == (None, ())
    assert fleet.meta.totals.releasable_gpus is not None


def test_a_selection_that_keeps_everything_changes_nothing():
    fleet = varied_report()

    assert selected(fleet, Selection(namespaces=("*",))) is fleet


def test_the_money_of_a_workload_survives_as_long_as_one_item_does():
    built = report(
        Row(
            tflops=tflops(request=NAN, limit=NAN),
            vram=vram(request=40 * GIB, limit=40 * GIB, target_request=20 * GIB),
        )
    )
    money = built.items[1].money

    kept = selected(built, Selection(min_severity=Severity.SAVING))
    assert [item.money for item in kept.items] == [money]
    others = selected(built, Selection(only=Only.UNKNOWN))
    assert others.items == ()


UNSTATED = {"target_replicas": NAN, "unknown_replicas": Code.NoStatedLimit}


def test_an_item_that_lacks_a_statement_does_not_stand_for_its_workload():
    [group] = by_workload(report(Row(**UNSTATED)).items)

    assert [item.severity for item in group.items] == [Severity.OK, Severity.OK, Severity.UNSET]
    assert (group.worst.resource, group.severity) == ("tflops", Severity.OK)


def test_an_unset_item_with_a_recommendation_may_stand_for_its_workload():
    size = tflops(request=NAN, limit=NAN)
    [group] = by_workload(report(Row(tflops=size, **UNSTATED)).items)

    assert (group.worst.resource, group.severity) == ("tflops", Severity.UNSET)


@given(item_lists())
def test_a_risk_always_stands_for_its_workload(items):
    for group in by_workload(items):
        most_urgent = min(group.items, key=lambda item: item.severity.rank)
        if most_urgent.severity in RISKS:
            assert group.severity is most_urgent.severity


def test_groups_are_titled_by_what_was_asked():
    items = varied_report().items

    assert [title for title, _ in grouped(items, "namespace")] == ["search", "vision", "default"]
    assert {title for title, _ in grouped(items, "pool")} == {"inference", "research", "(none)"}
    assert "reranker" in {title for title, _ in grouped(items, "label:team")}
    assert grouped((), None) == []


@pytest.mark.parametrize("by", ["team", "label:", "Label:team", ""])
def test_an_unknown_grouping_is_refused(by):
    with pytest.raises(InvalidValueError, match="namespace, pool, label:NAME"):
        grouped(varied_report().items, by)


def test_short_vram_stands_before_short_compute_and_the_largest_lack_first():
    small = Row(workload="small", tflops=tflops(target_request=24.0))
    large = Row(workload="large", tflops=tflops(target_request=48.0))
    full = Row(workload="full", vram=vram(target_request=10 * GIB))

    found = ordered(report(small, large, full), SortKey.RISK).items[:3]
    assert [item.identity.workload for item in found] == ["full", "large", "small"]
    assert {item.severity for item in found} == {Severity.WARNING}
