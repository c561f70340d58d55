from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.scaling.loop_snapshot import LoopSnapshot, counts_of
from autoscaler.sources.prometheus.query_counts import Outcome, QueryCounts
from autoscaler.telemetry.autoscaler_families import AUTOSCALER_FAMILIES
from autoscaler.telemetry.controller_families import CONTROLLER_FAMILIES
from autoscaler.telemetry.exposition import registry_of, render
from autoscaler.telemetry.families import (
    FAMILIES,
    LOOP_FAMILIES,
    SOURCE_FAMILIES,
    SOURCE_QUERIES,
    USAGE_SAMPLES,
)
from autoscaler.telemetry.family import PREFIX, Kind
from autoscaler.telemetry.kube_families import KUBE_FAMILIES
from autoscaler.telemetry.snapshots import OF_ACCEPTED
from autoscaler.telemetry.webhook_families import WEBHOOK_FAMILIES
from autoscaler.telemetry.workload_families import WORKLOAD_FAMILIES
from autoscaler.telemetry.workload_text import workload_text
from recommender.usage.quality import SampleCounts
from tests.autoscaler.telemetry.parts import all_parts, table


def loop(**changes):
    values = {"samples": counts_of(SampleCounts()), "workloads": 0, "workers": 0, **changes}
    return LoopSnapshot(**values)


def exported(*, source=None, counts=None):
    """Return name with labels to value of everything that is exported."""
    counts = counts or QueryCounts()
    text = render(registry_of(source=counts.snapshot, loop=lambda: source or loop()))
    return {
        (sample.name.removeprefix(PREFIX), *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def parsed():
    counts = QueryCounts()
    counts.observe(Outcome.OK, duration_s=0.2, now_s=1.0, samples=1, answer_bytes=1)
    full = loop(
        collect_errors={("tflops", "timeout"): 1},
        collect_partial={"tflops": 1},
        checkpoint_bytes=10,
        checkpoint_saved_s=1.0,
    )
    registry = registry_of(source=counts.snapshot, loop=lambda: full, **all_parts())
    text = (render(registry) + workload_text(table(), 1000.0)).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_every_exported_family_is_in_the_table_and_the_other_way_round():
    # The parser names counters without their suffix.
    expected = {family.name.removesuffix("_total") for family in FAMILIES}
    assert expected == set(parsed())


def test_the_table_holds_each_family_once():
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)
    assert set(FAMILIES) == {
        *SOURCE_FAMILIES,
        *LOOP_FAMILIES,
        *AUTOSCALER_FAMILIES,
        *WORKLOAD_FAMILIES,
        *WEBHOOK_FAMILIES,
        *CONTROLLER_FAMILIES,
        *KUBE_FAMILIES,
    }


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_is_exported_as_the_table_says(family):
    found = parsed()[family.name.removesuffix("_total")]

    assert (str(family.kind), family.meaning) == (found.type, found.documentation)
    labels = {name for sample in found.samples for name in sample.labels} - {"le"}
    assert set(family.labels) == labels
    assert found.samples


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_name_follows_the_rules_of_prometheus(family):
    assert family.name.startswith(PREFIX)
    assert family.name.endswith("_total") is (family.kind is Kind.COUNTER)
    assert not family.meaning.endswith(".")


def test_the_meaning_names_every_value_of_a_label():
    results = {field.name for field in fields(SampleCounts)} - set(OF_ACCEPTED)
    assert [name for name in results if name not in USAGE_SAMPLES.meaning] == []
    assert [name for name in Outcome if name not in SOURCE_QUERIES.meaning] == []


def test_no_created_series_are_exported():
    assert [name for name, *_ in exported() if name.endswith("_created")] == []


def test_every_outcome_and_result_is_there_from_the_beginning():
    first = exported()

    outcomes = {("source_queries_total", ("outcome", str(outcome))): 0.0 for outcome in Outcome}
    results = {
        ("usage_samples_total", ("result", field.name)): 0.0
        for field in fields(SampleCounts)
        if field.name not in OF_ACCEPTED
    }
    assert outcomes.items() <= first.items()
    assert results.items() <= first.items()


def test_what_is_not_known_yet_is_absent_and_not_zero():
    names = {name for name, *_ in exported()}

    assert "source_last_success_timestamp_seconds" not in names
    assert "checkpoint_bytes" not in names
    assert "checkpoint_last_success_timestamp_seconds" not in names


def test_queries_are_counted_by_outcome():
    counts = QueryCounts()
    counts.observe(Outcome.OK, duration_s=0.02, now_s=100.0, samples=7, answer_bytes=300)
    counts.observe(Outcome.PARTIAL, duration_s=0.3, now_s=200.5, samples=5, answer_bytes=200)
    counts.observe(Outcome.TIMEOUT, duration_s=500.0, now_s=300.0, error="too slow")
    counts.retried()

    found = exported(counts=counts)

    assert {
        ("source_queries_total", ("outcome", "ok")): 1.0,
        ("source_queries_total", ("outcome", "partial")): 1.0,
        ("source_queries_total", ("outcome", "timeout")): 1.0,
        ("source_queries_total", ("outcome", "rejected")): 0.0,
        ("source_query_retries_total",): 1.0,
        ("source_samples_total",): 12.0,
        ("source_answer_bytes_total",): 500.0,
        ("source_partial_total",): 1.0,
        ("source_last_success_timestamp_seconds",): 200.5,
        ("source_query_duration_seconds_bucket", ("le", "0.01")): 0.0,
        ("source_query_duration_seconds_bucket", ("le", "0.025")): 1.0,
        ("source_query_duration_seconds_bucket", ("le", "0.5")): 2.0,
        ("source_query_duration_seconds_bucket", ("le", "120.0")): 2.0,
        ("source_query_duration_seconds_bucket", ("le", "+Inf")): 3.0,
        ("source_query_duration_seconds_count",): 3.0,
        ("source_query_duration_seconds_sum",): 500.32,
    }.items() <= found.items()


def test_the_loop_is_exported_as_its_snapshot_says():
    found = exported(
        source=loop(
            samples=counts_of(SampleCounts(accepted=9, saturated=4, duplicate=2, late=3)),
            workloads=5,
            workers=8,
            collect_errors={("tflops", "timeout"): 2, ("vram_bytes", "unavailable"): 1},
            collect_partial={"tflops": 3},
            checkpoint_bytes=4096,
            checkpoint_saved_s=1234.5,
        )
    )

    assert {
        ("usage_samples_total", ("result", "accepted")): 9.0,
        ("usage_samples_total", ("result", "late")): 3.0,
        ("usage_saturated_samples_total",): 4.0,
        ("usage_duplicate_samples_total",): 2.0,
        ("usage_workloads",): 5.0,
        ("usage_workers",): 8.0,
        ("collect_errors_total", ("kind", "timeout"), ("metric", "tflops")): 2.0,
        ("collect_errors_total", ("kind", "unavailable"), ("metric", "vram_bytes")): 1.0,
        ("collect_partial_total", ("metric", "tflops")): 3.0,
        ("checkpoint_bytes",): 4096.0,
        ("checkpoint_last_success_timestamp_seconds",): 1234.5,
    }.items() <= found.items()


def test_each_sample_is_in_one_result():
    counts = SampleCounts(**{f.name: 1 for f in fields(SampleCounts)})

    found = exported(source=loop(samples=counts_of(counts)))

    results = [value for name, *_, value in ((*k, v) for k, v in found.items())
               if name == "usage_samples_total"]  # fmt: skip
    assert len(fields(SampleCounts)) - len(OF_ACCEPTED) == sum(results)


@given(metric=st.text(), kind=st.text())
def test_any_name_of_a_metric_comes_through(metric, kind):
    errors = {(metric, kind): 3}
    text = render(registry_of(loop=lambda: loop(collect_errors=errors))).decode()

    [sample] = [
        sample
        for family in text_string_to_metric_families(text)
        if family.name == f"{PREFIX}collect_errors"
        for sample in family.samples
    ]
    assert {"metric": metric, "kind": kind} == sample.labels


def test_counts_do_not_change_with_the_model():
    counts = SampleCounts(accepted=1)
    taken = counts_of(counts)
    counts.accepted = 2

    assert taken["accepted"] == 1


def test_a_registry_may_hold_one_part_alone():
    text = render(registry_of(source=QueryCounts().snapshot)).decode()

    assert f"{PREFIX}source_queries_total" in text
    assert f"{PREFIX}usage_workers" not in text


def test_registries_do_not_share_anything():
    one, other = QueryCounts(), QueryCounts()
    one.retried()

    first = render(registry_of(source=one.snapshot))
    second = render(registry_of(source=other.snapshot))

    assert b"source_query_retries_total 1.0" in first
    assert b"source_query_retries_total 0.0" in second


def test_a_scrape_reads_each_snapshot_once():
    reads = []

    def read():
        reads.append(1)
        return loop()

    registry = registry_of(loop=read)
    assert reads == []
    render(registry)
    assert reads == [1]
