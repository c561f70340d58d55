import pytest

from recommender.decision import Code
from recommender.report.blocks import Severity
from recommender.report.severity import findings_at_least, word_code
from recommender.resources import GIB
from tests.recommender.report.builders import NAN, Row, report, tflops, vram

UNKNOWN = {"unknown": Code.NotEnoughHistory, "target_request": NAN, "target_limit": NAN}


def item_of(resource, **fields):
    built = report(Row(**fields))
    return next(item for item in built.items if item.resource == resource)


def verdict_of(resource, **fields):
    verdict = item_of(resource, **fields).verdict
    return verdict.severity, verdict.code


@pytest.mark.parametrize(
    ("size", "code"),
    [
        (vram(denials=1), "TF-VRAM-DENIED"),
        (vram(highest=7.7 * GIB), "TF-VRAM-PEAK-NEAR-LIMIT"),
        (vram(highest=8.5 * GIB), "TF-VRAM-PEAK-ABOVE-LIMIT"),
    ],
)
def test_vram_that_failed_or_nearly_did_is_critical(size, code):
    assert verdict_of("vram_bytes", vram=size) == (Severity.CRITICAL, code)


def test_a_vram_peak_of_exactly_the_threshold_is_not_critical():
    size = vram(limit=100 * GIB, target_limit=100 * GIB, highest=95 * GIB)

    assert verdict_of("vram_bytes", vram=size) == (Severity.OK, "TF-WITHIN-THRESHOLD")


def test_compute_at_its_limit_is_critical_above_five_percent_of_the_minutes():
    assert verdict_of("tflops", tflops=tflops(at_limit_share=0.051)) == (
        Severity.CRITICAL,
        "TF-COMPUTE-AT-LIMIT",
    )
    assert verdict_of("tflops", tflops=tflops(at_limit_share=0.05))[0] is Severity.OK


def test_held_back_compute_names_what_may_have_held_it_back():
    item = item_of("tflops", tflops=tflops(at_limit_share=0.6))

    assert item.verdict.sentence == (
        "compute was held back in 60 % of the minutes, by its limit or its share of the GPU"
    )


def test_a_request_below_use_is_a_warning_that_names_both():
    item = item_of("tflops", tflops=tflops(p95=14.0, target_request=16.1))

    assert (item.severity, item.verdict.code) == (Severity.WARNING, "TF-REQUEST-BELOW-USE")
    assert item.verdict.sentence == (
        "p95 of 5-min peaks, 14 TFLOPS, is above the request: 12 -> 16.1 TFLOPS"
    )


def test_a_request_that_only_lacks_margin_has_a_code_of_its_own():
    size = tflops(p95=11.9, target_request=13.7)

    assert verdict_of("tflops", tflops=size) == (Severity.WARNING, "TF-REQUEST-TOO-LOW")


def test_a_limit_without_margin_for_bursts_is_a_warning():
    size = tflops(target_limit=30.0)

    assert verdict_of("tflops", tflops=size) == (Severity.WARNING, "TF-LIMIT-TOO-LOW")


def test_an_idle_workload_that_holds_half_a_gpu_is_a_warning():
    idle = {"highest": 0.9, "p95": 0.5, "target_request": 1.0}

    assert verdict_of("tflops", tflops=tflops(request=50.0, limit=50.0, **idle)) == (
        Severity.WARNING,
        "TF-IDLE-GPU",
    )
    assert verdict_of("tflops", tflops=tflops(request=49.0, limit=50.0, **idle)) == (
        Severity.SAVING,
        "TF-REQUEST-TOO-HIGH",
    )


def test_a_workload_is_not_called_idle_before_a_day_has_passed():
    size = tflops(request=50.0, limit=50.0, highest=0.9, p95=0.5, target_request=1.0)

    assert verdict_of("tflops", tflops=size, span_s=86_399)[1] == "TF-REQUEST-TOO-HIGH"


def test_held_vram_makes_an_idle_workload_too():
    held = vram(request=40 * GIB, limit=40 * GIB)

    assert verdict_of("tflops", tflops=tflops(highest=0.9), vram=held)[1] == "TF-IDLE-GPU"


def test_a_lower_request_is_a_saving_only_beyond_the_update_threshold():
    assert verdict_of("tflops", tflops=tflops(target_request=10.8))[0] is Severity.OK
    assert verdict_of("tflops", tflops=tflops(target_request=10.7)) == (
        Severity.SAVING,
        "TF-REQUEST-TOO-HIGH",
    )


def test_a_lower_limit_alone_saves_nothing_and_is_said_beside_the_verdict():
    item = item_of("tflops", tflops=tflops(target_limit=14.0))

    assert item.severity is Severity.OK
    assert [finding.code for finding in item.further] == ["TF-LIMIT-TOO-HIGH"]


def test_a_lower_limit_is_a_saving_where_it_stands_for_the_request():
    size = tflops(request=NAN, target_limit=14.0)

    assert verdict_of("tflops", tflops=size) == (Severity.SAVING, "TF-LIMIT-TOO-HIGH")


def test_nothing_in_force_is_unset_with_a_recommendation_and_no_change():
    item = item_of("tflops", tflops=tflops(request=NAN, limit=NAN))

    assert (item.severity, item.verdict.code) == (Severity.UNSET, "TF-NOTHING-SET")
    assert item.recommended.request == 12.0
    assert (item.change_ratio, item.limit_change_ratio) == (None, None)


def test_too_little_history_is_unknown_without_any_value():
    item = item_of("tflops", tflops=tflops(**UNKNOWN))

    assert (item.severity, item.verdict.code) == (Severity.UNKNOWN, "TF-NOT-ENOUGH-HISTORY")
    assert item.verdict.sentence == "less than 30 min or 12 samples: no recommendation"
    assert (item.recommended.request, item.recommended.limit, item.recommended.raw) == (None,) * 3


def test_a_refused_allocation_is_critical_even_where_nothing_can_be_recommended():
    item = item_of("vram_bytes", vram=vram(denials=2, **UNKNOWN))

    assert item.verdict.code == "TF-VRAM-DENIED"
    assert [finding.severity for finding in item.further] == [Severity.UNKNOWN]


def test_a_recommendation_of_zero_is_never_shown():
    item = item_of("tflops", tflops=tflops(target_request=0.0, target_limit=0.0))

    assert item.severity is Severity.UNKNOWN
    assert item.recommended.request is None


def test_opaque_vram_is_said_and_not_judged_by_its_peak():
    item = item_of("vram_bytes", vram=vram(is_opaque=True, highest=7.9 * GIB))

    assert (item.severity, item.verdict.code) == (Severity.OK, "TF-VRAM-OPAQUE")


def test_a_refused_allocation_counts_for_opaque_vram_too():
    item = item_of("vram_bytes", vram=vram(is_opaque=True, denials=1))

    assert item.verdict.code == "TF-VRAM-DENIED"
    assert "TF-VRAM-OPAQUE" in [finding.code for finding in item.further]


def test_stale_samples_are_said_beside_the_verdict():
    item = item_of("tflops", tflops=tflops(is_stale=True))

    assert [finding.code for finding in item.further] == ["TF-STALE-METRICS"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (3.0, (Severity.WARNING, "TF-REPLICAS-TOO-FEW")),
        (1.0, (Severity.SAVING, "TF-REPLICAS-TOO-MANY")),
        (2.0, (Severity.OK, "TF-WITHIN-THRESHOLD")),
    ],
)
def test_replicas_are_judged_by_the_direction_of_the_change(target, expected):
    assert verdict_of("replicas", target_replicas=target) == expected


def test_replicas_without_a_stated_limit_are_unset_and_say_what_to_state():
    item = item_of("replicas", target_replicas=NAN, unknown_replicas=Code.NoStatedLimit)

    assert (item.severity, item.verdict.code) == (Severity.UNSET, "TF-NO-STATED-LIMIT")
    assert "state one in the pod template or its profile" in item.verdict.sentence
    assert (item.current.replicas, item.recommended.replicas, item.patch) == (2, None, None)
    assert (item.confidence.grade, item.confidence.value) == ("D", 0.0)


def test_replicas_whose_demand_is_not_known_are_unknown_with_the_reason():
    item = item_of("replicas", target_replicas=NAN, unknown_replicas=Code.NoFreshDemand)

    assert (item.severity, item.verdict.code) == (Severity.UNKNOWN, "TF-NO-FRESH-DEMAND")
    assert item.verdict.sentence == "no worker past its start-up has a fresh sample"


def test_the_verdict_is_the_most_urgent_finding():
    size = vram(denials=1, target_request=20 * GIB, target_limit=20 * GIB, p95=9 * GIB)
    item = item_of("vram_bytes", vram=size)

    ranks = [finding.severity.rank for finding in (item.verdict, *item.further)]
    assert ranks == sorted(ranks)
    assert len(ranks) == 3


def test_unset_and_ok_items_are_never_counted_as_findings():
    built = report(
        Row(tflops=tflops(request=NAN, limit=NAN)),
        Row(workload="new", tflops=tflops(**UNKNOWN)),
    )

    counted = findings_at_least(built, Severity.UNKNOWN)

    assert [item.severity for item in counted] == [Severity.UNKNOWN]
    assert findings_at_least(built, Severity.OK) == counted
    assert findings_at_least(built, Severity.CRITICAL) == ()


def test_codes_are_words():
    assert word_code("NotEnoughHistory") == "TF-NOT-ENOUGH-HISTORY"
