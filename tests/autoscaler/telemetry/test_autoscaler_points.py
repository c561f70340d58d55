"""The numbers of the autoscaler's process."""

from prometheus_client.parser import text_string_to_metric_families

from autoscaler.scaling.live.writing.write_results import WriteOutcome
from autoscaler.scaling.running.counts.job_counts import JobOutcome
from autoscaler.scaling.running.counts.tick_counts import CYCLE, ChangeDirection, DecisionMode
from autoscaler.scaling.running.health_gate import GatePart
from autoscaler.scaling.validating import Rejection
from autoscaler.telemetry import autoscaler_families as families
from autoscaler.telemetry.exposition import registry_of, render
from autoscaler.telemetry.family import PREFIX
from recommender.decision import Layer
from tests.autoscaler.telemetry.parts import autoscaler


def exported(**changes):
    text = render(registry_of(autoscaler=lambda: autoscaler(**changes))).decode()
    return {
        (sample.name.removeprefix(PREFIX), *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_was_decided_and_done_is_counted():
    found = exported()

    assert found["ticks_total",] == 5.0
    assert found["decisions_total", ("mode", "apply"), ("reason", "Saturated")] == 2.0
    assert found["applied_total", ("direction", "up"), ("layer", "limits")] == 3.0
    assert found["changes_rejected_total", ("reason", "paused")] == 1.0
    assert found["changes_refused_total",] == 4.0


def test_errors_of_writing_are_those_of_statuses_and_of_whole_stages():
    found = exported()

    errors = {labels[0][1]: found[name, *labels] for name, *labels in found if is_error(name)}
    assert errors == {
        **{
            str(outcome): 0.0 for outcome in WriteOutcome if outcome not in {"written", "unchanged"}
        },
        "late": 2.0,
        "ApiUnavailableError": 1.0,
    }
    assert found["status_writes_total", ("outcome", "written")] == 6.0
    assert found["write_backlog",] == 7.0


def is_error(name):
    return name == "apply_errors_total"


def test_questions_to_external_scalers_are_counted_by_how_they_ended():
    found = exported()

    assert found["external_scaler_questions_total", ("outcome", "Answered")] == 5.0
    assert found["external_scaler_questions_total", ("outcome", "Failed")] == 1.0


def test_stages_and_jobs_are_measured():
    found = exported()

    assert found["cycle_duration_seconds_sum", ("stage", "decide")] == 0.3
    assert found["cycle_duration_seconds_bucket", ("le", "0.5"), ("stage", "decide")] == 1.0
    assert found["cycle_errors_total", ("kind", "SourceError"), ("stage", "collect")] == 2.0
    assert found["cycle_last_success_timestamp_seconds", ("stage", "decide")] == 9.0
    assert found["job_runs_total", ("job", "tick"), ("outcome", "done")] == 5.0
    assert found["job_duration_seconds_count", ("job", "tick")] == 1.0
    assert found["job_last_success_timestamp_seconds", ("job", "tick")] == 8.0
    assert found["job_failing", ("job", "tick")] == 1.0


def test_the_gate_and_the_history_say_what_holds_changes_back():
    held = exported(
        gate={GatePart.WEBHOOK: ("no answer",), GatePart.METRICS: ()}, warming_progress_ratio=0.4
    )
    free = exported(warming_progress_ratio=None)

    assert held["health_gate_open", ("part", "webhook")] == 0.0
    assert held["health_gate_open", ("part", "metrics")] == 1.0
    assert (held["warming",], held["warming_progress_ratio",]) == (1.0, 0.4)
    assert free["warming",] == 0.0
    assert ("warming_progress_ratio",) not in free


def test_the_meanings_name_every_value_of_a_label():
    rejections = [rejection.name.lower() for rejection in Rejection]
    for family, values in (
        (families.DECISIONS, tuple(DecisionMode)),
        (families.APPLIED, (*(layer.name.lower() for layer in Layer), *ChangeDirection)),
        (families.REJECTED, rejections),
        (families.STATUS_WRITES, tuple(WriteOutcome)),
        (families.CYCLE_DURATION, CYCLE),
        (families.JOB_RUNS, tuple(JobOutcome)),
        (families.GATE_OPEN, tuple(GatePart)),
    ):
        assert [value for value in values if value not in family.meaning] == []
