"""The numbers of forecasts."""

from prometheus_client.parser import text_string_to_metric_families

from autoscaler.scaling.running.counts.forecast_counts import TrainingFailure
from autoscaler.telemetry import forecast_families as families
from autoscaler.telemetry.exposition import registry_of, render
from autoscaler.telemetry.family import PREFIX
from recommender.forecast.gate import Gate
from recommender.forecast.named.reason import Reason
from tests.autoscaler.telemetry.parts import autoscaler


def exported():
    text = render(registry_of(autoscaler=autoscaler)).decode()
    # the client library sorts labels by name
    return {
        (sample.name.removeprefix(PREFIX), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_gates_are_counted_by_layer_resource_and_reason():
    found = exported()

    assert found["forecast_gate_workloads", "open", "limits", "tflops"] == Gate.OPEN + 1
    assert found["forecast_gate_workloads", "no_gain", "limits", "tflops"] == Gate.NO_GAIN + 1


def test_what_was_promised_stands_beside_what_was_kept():
    found = exported()

    assert found["forecast_promised_ratio", "limits", "tflops"] == 0.01
    assert found["forecast_realised_ratio", "limits", "tflops"] == 0.012


def test_a_model_of_the_fleet_shows_its_rows_age_time_and_version():
    found, of = exported(), ("600", "limits", "tflops")

    assert found["forecast_model_rows", *of] == 60_000
    assert found["forecast_model_trained_timestamp_seconds", *of] == 7
    assert found["forecast_model_training_seconds", *of] == 4.5
    assert found["forecast_model_info", *of, "af31"] == 1
    assert found["forecast_training_failures_total", "too_long"] == 2
    assert found["forecast_training_failures_total", "failed"] == 0


def test_models_by_name_are_counted_by_what_became_of_them():
    found = exported()

    states = {state: found["forecast_named_series", state] for state in STATES}
    assert states == {"fitted": 5, "failing": 1, "busy": 2}
    assert found["forecast_named_left_out_workloads",] == 4
    assert found["forecast_named_failures_total", "TooShort"] == 3


STATES = ("fitted", "failing", "busy")


def test_the_meanings_name_every_value_of_a_label():
    gates = [gate.name.lower() for gate in Gate if gate >= 0]
    for family, values in (
        (families.GATES, gates),
        (families.TRAINING_FAILURES, tuple(TrainingFailure)),
        (families.NAMED_SERIES, STATES),
        (families.NAMED_FAILURES, tuple(Reason)),
    ):
        assert [value for value in values if value not in family.meaning] == []
