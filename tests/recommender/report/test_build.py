import pytest

from recommender.decision import Code
from recommender.errors import ContractError
from recommender.report.blocks import CurrentReplicas, NextReplicas, NextSize
from recommender.report.build import build_report
from recommender.report.thresholds import Thresholds
from recommender.resources import GIB
from tests.recommender.report import builders
from tests.recommender.report.builders import NAN, Row, change, report, tflops, vram

EMPTY = tflops(
    request=NAN,
    limit=NAN,
    target_request=NAN,
    target_limit=NAN,
    highest=NAN,
    p95=NAN,
    points=0,
    unknown=Code.NoSamples,
)


def test_items_come_in_row_order_then_resource_order_then_replicas():
    built = report(Row(workload="b"), Row(workload="a"))

    assert [(item.identity.workload, item.resource) for item in built.items] == [
        ("b", "tflops"),
        ("b", "vram_bytes"),
        ("b", "replicas"),
        ("a", "tflops"),
        ("a", "vram_bytes"),
        ("a", "replicas"),
    ]


def test_a_resource_that_is_neither_measured_nor_set_has_no_item():
    built = report(Row(tflops=EMPTY))

    assert [item.resource for item in built.items] == ["vram_bytes", "replicas"]


def test_a_workload_without_anything_is_not_lost():
    built = report(Row(tflops=EMPTY, vram=EMPTY, replicas=NAN))

    assert [(item.resource, item.severity) for item in built.items] == [("tflops", "UNKNOWN")]


def test_a_workload_without_replicas_has_no_replica_item():
    assert "replicas" not in [item.resource for item in report(Row(replicas=NAN)).items]


def test_replicas_of_a_workload_on_two_gpu_models_stand_once():
    built = report(Row(gpu_model="H100"), Row(gpu_model="L4"))

    assert [item.resource for item in built.items].count("replicas") == 1


def test_identity_and_sources_are_shown():
    item = report().items[0]

    assert (item.identity.owner, item.identity.pool) == ("Deployment/chat", "default-pool")
    assert item.identity.qos == "medium"
    assert item.current.sources == {"request": "annotation"}


def test_a_value_that_is_not_the_stated_one_came_from_the_autoscaler():
    item = report(Row(tflops=tflops(stated_request=20.0))).items[0]

    assert item.current.sources["request"] == "autoscaler"


@pytest.mark.parametrize(
    ("stated", "sources", "expected"),
    [
        (12.0, {"tflops-request": "row"}, "row"),
        (20.0, {"tflops-request": "row"}, "metric a"),
        (12.0, {}, "metric a"),
    ],
)
def test_a_value_in_force_may_have_been_seen_elsewhere(stated, sources, expected):
    subject = builders.Subject(sources=sources, in_force_sources={"tflops-request": "metric a"})
    item = report(Row(tflops=tflops(stated_request=stated), subject=subject)).items[0]

    assert item.current.sources == {"request": expected}


def test_target_bounds_and_relative_change_are_shown():
    item = report(Row(tflops=tflops(target_request=6.0, target_limit=30.0))).items[0]

    assert (item.recommended.request, item.recommended.limit) == (6.0, 30.0)
    assert (item.recommended.lower, item.recommended.upper) == (4.8, 7.8)
    assert (item.change_ratio, item.limit_change_ratio) == (-0.5, 0.25)


def test_the_next_step_is_shown_only_where_a_layer_is_enrolled():
    size = tflops(target_request=6.0, next_request=9.0)

    assert report(Row(tflops=size)).items[0].next is None
    enrolled = report(Row(tflops=size, is_enrolled=True))
    assert enrolled.items[0].next == NextSize(request=9.0, limit=24.0)
    assert enrolled.items[2].next == NextReplicas(replicas=2)
    assert enrolled.items[0].enrolment == {"requests": "apply", "limits": "apply"}


def test_steps_are_rendered_in_the_unit_of_the_item_layer_by_layer():
    reasoning = report(Row(tflops=tflops(target_request=11.5))).items[0].reasoning

    assert [(step.layer, step.code) for step in reasoning] == [
        ("requests", "Percentile"),
        ("requests", "Buffer"),
        ("limits", "Burst"),
        ("limits", "Buffer"),
    ]
    assert reasoning[1].sentence == "margin: 10 -> 11.5 TFLOPS"


def test_replica_items_have_their_own_steps_and_whole_numbers():
    item = report(Row(target_replicas=3.0)).items[2]

    assert item.current == CurrentReplicas(replicas=2)
    assert item.recommended.replicas == 3
    assert [step.code for step in item.reasoning] == ["ReplicaDemand"]


def test_history_goes_to_the_item_of_its_resource_newest_first():
    history = {
        ("team-a", "chat"): (
            change(time_s=1),
            change(time_s=2),
            change(resource="vram_bytes", before=8 * GIB),
        )
    }
    items = report(history=history).items

    assert [entry.time_s for entry in items[0].history] == [2, 1]
    assert [entry.before for entry in items[1].history] == [8 * GIB]


def test_confidence_says_what_is_missing():
    confidence = report(Row(span_s=46_800, tflops=tflops(confidence=0.27))).items[0].confidence

    assert (confidence.grade, confidence.value) == ("C", 0.27)
    assert confidence.missing == ("13 h of 2 d of history",)


@pytest.mark.parametrize(
    ("value", "grade"), [(1.0, "A"), (0.9, "A"), (0.5, "B"), (0.1, "C"), (0.0, "D"), (NAN, "D")]
)
def test_grades_have_fixed_bounds(value, grade):
    assert report(Row(tflops=tflops(confidence=value))).items[0].confidence.grade == grade


def test_the_policy_that_governs_is_shown_with_its_sources():
    settings = report().items[0].settings

    assert settings["requests.compute.percentile"].source == "profile team/small"
    assert settings["requests.compute.buffer"].value == 1.15
    assert settings["requests.compute.buffer"].source == "default"


def test_what_if_stands_beside_the_hindsight_of_the_same_blocks():
    blocks = (1.0, 2.0, 30.0, 40.0)
    what_if = report(Row(tflops=tflops(blocks=blocks))).items[0].what_if

    assert what_if.request.violated_share == 0.012
    assert what_if.hindsight_above_limit_share == 0.5
    assert what_if.hindsight_above_request_share == 0.5


def test_without_a_replay_there_is_no_what_if():
    assert report(with_what_if=False).items[0].what_if is None


def test_an_unknown_item_has_no_what_if():
    size = tflops(unknown=Code.NoSamples, target_request=NAN, target_limit=NAN)

    assert report(Row(tflops=size)).items[0].what_if is None


def test_plots_have_at_most_84_points_and_keep_the_peak():
    series = report(Row(tflops=tflops(highest=20.0))).items[0].evidence.series

    assert len(series.highest) <= 84
    assert max(series.highest) == 20.0


def test_only_an_item_that_asks_for_a_change_or_is_unset_has_a_patch():
    fits, unset = report().items[0], report(Row(tflops=tflops(request=NAN, limit=NAN))).items[0]

    assert fits.patch is None
    assert unset.patch is not None


def test_queries_are_shown_for_their_resource():
    row = Row(subject=builders.Subject(promql={"tflops": ("max(a)",)}))

    assert [item.promql for item in report(row).items] == [("max(a)",), None, None]


def test_totals_count_items_by_severity_and_workloads_once():
    totals = report(Row(), Row(workload="b", vram=vram(denials=1))).meta.totals

    assert totals.workloads == 2
    assert totals.severities["CRITICAL"] == 1
    assert totals.severities["OK"] == 5


def test_rows_that_do_not_agree_are_a_defect_of_the_caller():
    rows = (Row(),)
    with pytest.raises(ContractError, match="1 workloads, but 0 subjects and 1 policies"):
        build_report(
            meta=builders.meta(),
            subjects=[],
            observation=builders.observation(rows),
            policies=[builders.policy()],
            decisions=builders.decisions(rows),
            evidence=builders.evidence(rows),
            whatif=None,
            history={},
            errors=(),
            thresholds=Thresholds(),
        )


def test_a_report_of_no_workloads_can_be_built():
    rows = ()
    built = build_report(
        meta=builders.meta(),
        subjects=[],
        observation=builders.observation(rows),
        policies=[],
        decisions=builders.decisions(rows),
        evidence=builders.evidence(rows),
        whatif=None,
        history={},
        errors=(),
        thresholds=Thresholds(),
    )

    assert built.items == ()
    assert built.meta.totals.workloads == 0
