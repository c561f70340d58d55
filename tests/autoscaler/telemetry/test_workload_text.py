"""The metrics of single workloads, as text that Prometheus reads."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.telemetry.family import PREFIX
from autoscaler.telemetry.workload_families import WORKLOAD_FAMILIES
from autoscaler.telemetry.workload_text import workload_text
from tests.autoscaler.telemetry.parts import table, workload

NOW_S = 1000.0


def families(shown):
    text = workload_text(shown, NOW_S).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def exported(shown):
    return {
        (sample.name.removeprefix(PREFIX), *sample.labels.values()): sample.value
        for family in families(shown).values()
        for sample in family.samples
    }


def test_every_family_is_exported_as_the_table_of_families_says():
    found = families(table())

    assert set(found) == {family.name for family in WORKLOAD_FAMILIES}
    for family in WORKLOAD_FAMILIES:
        of_name = found[family.name]
        assert (of_name.type, of_name.documentation) == (str(family.kind), family.meaning)
        assert {tuple(sample.labels) for sample in of_name.samples} == {family.labels}


def test_what_is_in_force_and_what_is_recommended_have_the_same_labels():
    found = exported(table(recommended_request=np.array([[5.0, 6.0]])))

    of_chat = ("team", "chat", "pool", "A100")
    assert found["workload_request", *of_chat, "vram_bytes"] == 2.0
    assert found["recommended_request", *of_chat, "vram_bytes"] == 6.0
    assert found["recommendation_confidence", *of_chat, "tflops"] == 0.25
    assert found["recommendation_age_seconds", *of_chat, "tflops"] == 10.0
    assert found["workload_replicas", *of_chat] == 3.0
    assert found["recommended_replicas", *of_chat] == 4.0


def test_a_risk_shows_what_was_promised_and_kept():
    found = exported(table())

    of_chat = ("team", "chat", "pool", "A100", "tflops", "limits")
    risks = {name: value for name, value in found.items() if name[0].startswith("workload_risk")}
    assert risks == {
        ("workload_risk_promised_ratio", *of_chat): 0.01,
        ("workload_risk_realised_ratio", *of_chat): 0.02,
    }


def test_what_is_not_known_is_absent():
    found = exported(
        table(
            limit=np.array([[np.nan, 2.0]]),
            last_sample_s=np.array([[-1, 990]]),
            recommended_replicas=np.array([np.nan]),
        )
    )

    names = {(name, labels[-1]) for name, *labels in found}
    assert ("workload_limit", "tflops") not in names
    assert ("workload_limit", "vram_bytes") in names
    assert ("recommendation_age_seconds", "tflops") not in names
    assert ("recommendation_age_seconds", "vram_bytes") in names
    assert "recommended_replicas" not in {name for name, _ in names}


def test_replicas_of_a_workload_on_several_gpu_models_are_told_once():
    views = (workload(), workload(gpu_model="H100"))

    found = exported(table(*views, replica_row=np.array([0, 0])))

    assert found["workload_request", "team", "chat", "pool", "H100", "tflops"] == 1.0
    assert [key for key in found if key[0] == "workload_replicas"] == [
        ("workload_replicas", "team", "chat", "pool", "A100")
    ]


@given(st.text(alphabet='ab"\\\n{},= é', max_size=8), st.floats(0.0, 1e15))
def test_any_name_and_number_is_read_as_it_was_written(name, value):
    found = exported(table(workload(pool=name), request=np.array([[value, value]])))

    assert found["workload_request", "team", "chat", name, "A100", "tflops"] == value
