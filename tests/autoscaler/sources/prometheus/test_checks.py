import json
import re
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from autoscaler.clock import VirtualClock
from autoscaler.findings import Finding, Status
from autoscaler.sources.prometheus.checks import check_source
from autoscaler.sources.prometheus.client import PrometheusClient
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.mapping import SeriesName
from autoscaler.sources.prometheus.mappings import AGENT, DCGM, GREPTIMEDB
from autoscaler.sources.prometheus.probe import Check
from autoscaler.sources.prometheus.promql import Matcher
from autoscaler.sources.prometheus.server_checks import server_name
from autoscaler.sources.source import Metric
from tests.autoscaler.sources.prometheus.answering_server import (
    Refusal,
    Series,
    World,
    refusal,
    serving,
)

NOW_S = 1_800_000_000
DAY_S = 86400
SINCE_S = 14 * DAY_S
OK, WARNING, FAILED, SKIPPED = Status

GAUGES = (
    "tf_worker_compute_tflops",
    "tf_worker_compute_percentage",
    "tf_worker_memory_bytes",
    "tf_worker_effective_share_percentage",
    "tf_worker_compute_throttled_seconds_total",
    "tf_worker_vram_denied_total",
    "tf_worker_tflops_request",
    "tf_worker_tflops_limit",
    "tf_worker_vram_bytes_request",
    "tf_worker_vram_bytes_limit",
)
WORKER = {"namespace": "team", "workload": "chat", "worker": "chat-0", "uuid": "GPU-1"}
TARGET = {"job": "tensor-fusion-agent", "instance": "10.0.0.1:9400"}


def one(name, *, step_s=15, first_s=NOW_S - 15 * DAY_S, last_s=NOW_S - 10, **labels):
    """One series; a label that is None is left out."""
    method = {"method": "sm_time"} if name == "tf_worker_compute_tflops" else {}
    labels = {"__name__": name, **method, **WORKER, **TARGET, **labels}
    labels = {key: value for key, value in labels.items() if value is not None}
    return Series(labels=labels, first_s=first_s, last_s=last_s, step_s=step_s)


def agent(names=GAUGES, **changes):
    return [one(name, **changes) for name in names]


def healthy(**changes):
    return World(**{"series": agent(), "server_s": NOW_S, **changes})


def look(world, mapping=AGENT, *, since_s=SINCE_S, matchers=()):
    with serving(world) as url:
        client = PrometheusClient(Connection(url=url), wait=lambda _s: None)
        try:
            return check_source(
                client,
                mapping,
                clock=VirtualClock(NOW_S),
                since_s=since_s,
                matchers=matchers,
            )
        finally:
            client.close()


def of(findings, check, subject=None):
    """Return the only finding of a check (of one subject)."""
    [found] = [
        finding
        for finding in findings
        if finding.check == check and (subject is None or subject in finding.subjects)
    ]
    return found


def test_nothing_is_wrong_with_a_healthy_server():
    findings = look(healthy())

    assert [finding for finding in findings if finding.status is not OK] == []
    assert [finding for finding in findings if finding.next_step] == []
    assert list(dict.fromkeys(finding.check for finding in findings)) == list(Check)


def test_a_look_asks_few_questions():
    world = healthy(series=agent(first_s=NOW_S - 3 * DAY_S))

    look(world)

    assert len(world.queries) <= 35


def test_a_finding_that_holds_for_several_metrics_is_told_once():
    newest = of(look(healthy()), Check.NEWEST)

    expected = ("tflops", "tflops_pct", "vram_bytes")
    assert expected == newest.subjects


def test_progress_goes_up_to_all_but_the_last_check():
    shares = []
    with serving(healthy()) as url:
        client = PrometheusClient(Connection(url=url))
        check_source(
            client, AGENT, clock=VirtualClock(NOW_S), since_s=SINCE_S, progress=shares.append
        )
        client.close()

    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert 0.9 < shares[-1] < 1.0


# Is there a server?


def test_a_server_that_is_down_fails_and_everything_else_is_skipped():
    with serving(World()) as url:
        pass
    client = PrometheusClient(Connection(url=url), wait=lambda _s: None)

    first, *others = check_source(client, AGENT, clock=VirtualClock(NOW_S), since_s=SINCE_S)
    client.close()

    assert (first.check, first.status) == (Check.REACHABLE, FAILED)
    assert url in first.text
    assert "curl" in first.next_step
    assert list(Check)[1:] == [finding.check for finding in others]
    assert {SKIPPED} == {finding.status for finding in others}


@pytest.mark.parametrize(
    ("refused", "step"),
    [
        (Refusal("vector(1)", 401, b"who are you?", "text/plain"), "--prometheus-token-file"),
        (Refusal("vector(1)", 403, b"not you", "text/plain"), "may not read"),
        (Refusal("vector(1)", 404, b"no such page", "text/plain"), "path prefix"),
        (Refusal("vector(1)", 405, b"GET it", "text/plain"), "let it pass"),
        (refusal("vector(1)", 400, "bad_data", "no database"), "prometheus.parameters"),
        (Refusal("vector(1)", 200, b"<title>Log in</title>", "text/html"), "login page"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Refusal) else "",
)
def test_a_server_that_takes_no_queries_from_us_fails(refused, step):
    findings = look(healthy(refusals=[refused]))

    assert of(findings, Check.REACHABLE).status == OK
    accepted = of(findings, Check.ACCEPTED)
    assert accepted.status == FAILED
    assert step in accepted.next_step
    assert of(findings, Check.SERIES).status == SKIPPED


def test_what_to_do_about_one_refusal_says_nothing_of_the_others():
    refused = Refusal("vector(1)", 404, b"no such page", "text/plain")

    step = of(look(healthy(refusals=[refused])), Check.ACCEPTED).next_step

    assert "token" not in step
    assert "POST" not in step


def test_a_credential_file_that_vanishes_is_named(tmp_path):
    token = tmp_path / "token"
    token.write_text("t0ken")
    with serving(healthy()) as url:
        client = PrometheusClient(Connection(url=url, bearer_token_file=token))
        token.unlink()
        findings = check_source(client, AGENT, clock=VirtualClock(NOW_S), since_s=SINCE_S)
        client.close()

    reachable = of(findings, Check.REACHABLE)
    assert reachable.status == FAILED
    assert str(token) in reachable.text


@pytest.mark.parametrize(
    ("build", "name"),
    [
        ({"version": "3.5.0", "goVersion": "go1.25"}, "Prometheus 3.5.0"),
        ({"version": "2.42.0+ds", "goVersion": "go1.19"}, "Prometheus 2.42.0+ds"),
        ({"version": "0.38.0", "goVersion": "go1.23"}, "Thanos 0.38.0"),
        ({"application": "Grafana Mimir", "version": "2.16.0"}, "Grafana Mimir 2.16.0"),
        ({"version": "2.24.0"}, "VictoriaMetrics"),
        ({"version": "1.0"}, "A server of version 1.0"),
        ({}, "A server without build information"),
    ],
)
def test_a_server_is_known_by_its_build_information(build, name):
    assert name == server_name(build)


def test_a_server_without_build_information_is_no_fault():
    assert Finding(check=Check.SERVER, status=OK, text="A server without build information") == of(
        look(healthy(build=None)), Check.SERVER
    )


def test_evaluation_that_lags_behind_is_told():
    assert "as of 30 s ago" in of(look(healthy(behind_s=30)), Check.SERVER).text


@pytest.mark.parametrize(
    ("server_s", "status", "words"),
    [
        (NOW_S + 5, OK, "Within 5 s"),
        (NOW_S + 6, WARNING, "6 s ahead of ours"),
        (NOW_S - 60, WARNING, "1 min behind ours"),
        (NOW_S - 61, FAILED, "1 min 1 s behind ours"),
        (None, SKIPPED, "states no time"),
    ],
)
def test_clocks_that_are_apart_are_told(server_s, status, words):
    clock = of(look(healthy(server_s=server_s)), Check.CLOCK)

    assert status == clock.status
    assert words in clock.text


@pytest.mark.parametrize(
    ("count", "status", "words"),
    [
        (1, OK, "no sample counts in two minutes"),
        (2, OK, "counts in two minutes of the history. Nothing needs to be done"),
        (None, SKIPPED, "not tell"),
    ],
)
def test_the_rule_of_ranges_is_told(count, status, words):
    ranges = of(look(healthy(range_count=count)), Check.RANGES)

    assert status == ranges.status
    assert words in ranges.text


# What is measured?


def test_series_are_counted_recently_and_over_a_day():
    gone = one("tf_worker_memory_bytes", worker="chat-1", last_s=NOW_S - 3600)

    found = of(look(healthy(series=[*agent(), gone])), Check.SERIES, Metric.VRAM_BYTES)

    assert found.status == OK
    assert found.text == "tf_worker_memory_bytes: 1 series in the last 5 min, 2 in the last day"


def test_a_server_without_any_usage_fails_and_what_to_do_is_said_once():
    findings = look(healthy(series=[]))

    *metrics, verdict = [finding for finding in findings if finding.check == Check.SERIES]
    assert [(finding.status, finding.next_step) for finding in metrics] == [(WARNING, "")] * 3
    assert verdict.status == FAILED
    assert "nothing can be recommended" in verdict.text
    assert "Look at the targets page" in verdict.next_step
    assert "--prometheus-mapping (agent, greptimedb, dcgm)" in verdict.next_step
    for check in (Check.SIGNALS, Check.IN_FORCE):
        beside = of(findings, check)
        assert (beside.status, beside.next_step) == (SKIPPED, "")


@pytest.mark.parametrize(
    ("mapping", "name", "fitting"),
    [
        (AGENT, 'DCGM_FI_DEV_FB_USED{GPU_I_ID=""}', "dcgm"),
        (DCGM, 'tf_worker_usage{__field__="memory_bytes"}', "greptimedb"),
        (GREPTIMEDB, "tf_worker_memory_bytes", "agent"),
        (replace(DCGM, name="dcgm with other names"), 'DCGM_FI_DEV_FB_USED{GPU_I_ID=""}', "dcgm"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_mapping_that_fits_is_named_where_the_chosen_one_finds_nothing(mapping, name, fitting):
    metric = name.partition("{")[0]
    if mapping.name.endswith("other names"):
        mapping = replace(mapping, metrics={Metric.VRAM_BYTES: (SeriesName(series="vram"),)})
    series = one(metric, __field__="memory_bytes" if metric == "tf_worker_usage" else None)

    verdict = [f for f in look(healthy(series=[series]), mapping) if f.check == Check.SERIES][-1]

    assert verdict.next_step == (
        f"This server has {name}: choose --prometheus-mapping {fitting} "
        "(prometheus.mapping of the settings file)."
    )


def test_names_of_other_mappings_that_the_server_refuses_are_not_suggested():
    refused = refusal("tf_worker_usage", 400, "bad_data", "no such table")

    findings = look(healthy(series=[], refusals=[refused]))

    verdict = [finding for finding in findings if finding.check == Check.SERIES][-1]
    assert (verdict.status, "greptimedb has" in verdict.next_step) == (FAILED, False)


def test_a_look_that_finds_nothing_asks_few_questions_too():
    world = healthy(series=[])

    look(world)

    assert len(world.queries) <= 35


@pytest.mark.parametrize("age_s", [301, 33 * 60, 7200])
def test_usage_that_ended_within_the_day_fails_in_both_checks_that_see_it(age_s):
    findings = look(healthy(series=agent(last_s=NOW_S - age_s)))

    *metrics, verdict = [finding for finding in findings if finding.check == Check.SERIES]
    assert {(finding.status, finding.next_step) for finding in metrics} == {(WARNING, "")}
    assert "1 in the last day" in of(findings, Check.SERIES, Metric.TFLOPS).text
    assert verdict.status == FAILED
    assert "a report tells of the time before" in verdict.text
    assert of(findings, Check.NEWEST).status == FAILED


def test_the_age_of_usage_that_ended_is_told():
    findings = look(healthy(series=agent(last_s=NOW_S - 7200)))

    assert of(findings, Check.NEWEST).text == "The newest sample is 2 h old"


def test_one_metric_that_ended_is_a_warning_while_others_go_on():
    series = [*agent(GAUGES[:2]), one(GAUGES[2], last_s=NOW_S - 7200)]

    assert of(look(healthy(series=series)), Check.NEWEST, Metric.VRAM_BYTES).status == WARNING


def test_a_selector_that_excludes_everything_is_named():
    matchers = (Matcher("cluster", "prod"),)

    verdict = [f for f in look(healthy(), matchers=matchers) if f.check == Check.SERIES][-1]

    assert verdict.status == FAILED
    assert 'There are series without cluster="prod"' in verdict.next_step


def test_a_selector_narrows_every_query():
    world = healthy(series=agent(cluster="prod") + agent(cluster="dev", worker="chat-7"))

    findings = look(world, matchers=(Matcher("cluster", "prod"),))

    assert {OK} == {finding.status for finding in findings}
    of_series = [query for query in world.queries if "tf_worker" in query]
    assert of_series
    assert [query for query in of_series if 'cluster="prod"' not in query] == []


def test_the_alternative_in_use_is_told():
    card = {"UUID": "GPU-1", "modelName": "NVIDIA A100-SXM4-80GB", "pod": "chat-0"}
    world = healthy(
        series=[
            one("DCGM_FI_DEV_GPU_UTIL", **card, workload=None, worker=None),
            one("DCGM_FI_DEV_FB_USED", **card, workload=None, worker=None),
        ]
    )

    findings = look(world, DCGM)

    found = of(findings, Check.SERIES, Metric.TFLOPS)
    assert found.text.startswith('DCGM_FI_DEV_GPU_UTIL{GPU_I_ID=""}: 1 series')
    assert 'because there is no DCGM_FI_PROF_GR_ENGINE_ACTIVE{GPU_I_ID=""}' in found.text


def test_a_metric_that_the_server_cannot_evaluate_leaves_the_others():
    refused = refusal("tf_worker_memory_bytes", 422, "execution", "uint64 is not supported")

    findings = look(healthy(refusals=[refused]))

    vram = of(findings, Check.SERIES, Metric.VRAM_BYTES)
    assert vram.status == WARNING
    assert "uint64 is not supported" in vram.text
    assert of(findings, Check.SERIES, Metric.TFLOPS).status == OK


@pytest.mark.parametrize(("age_s", "status"), [(120, OK), (121, WARNING), (240, WARNING)])
def test_samples_that_stopped_coming_are_a_warning(age_s, status):
    world = healthy(series=agent(first_s=NOW_S - age_s - 20 * DAY_S, last_s=NOW_S - age_s))

    newest = of(look(world), Check.NEWEST)

    assert status == newest.status
    assert (status is WARNING) == bool(newest.next_step)


@pytest.mark.parametrize(
    ("step_s", "status", "words"),
    [
        (5, OK, "A sample every 5 s"),
        (15, OK, "A sample every 15 s"),
        (30, WARNING, "less closely"),
        (120, WARNING, "peaks between two samples are lost"),
    ],
)
def test_scrapes_that_are_far_apart_are_a_warning(step_s, status, words):
    interval = of(look(healthy(series=agent(step_s=step_s))), Check.INTERVAL)

    assert status == interval.status
    assert words in interval.text


@pytest.mark.parametrize(
    ("hours", "reach", "enough", "step"),
    [
        (0.5, "less than 1 h", "too little", "less sure until then"),
        (2.5, "at least 2 h", "too little", "less sure until then"),
        (50.1, "at least 2 d 2 h", "enough", "once a week"),
        (300, "at least 12 d 11 h", "enough", "once a week"),
    ],
)
def test_history_that_is_shorter_than_wanted_is_found_to_the_hour(hours, reach, enough, step):
    world = healthy(series=agent(first_s=NOW_S - int(hours * 3600)))

    reached = of(look(world), Check.HISTORY)

    assert reached.status == WARNING
    assert reached.text == (
        f"It reaches back {reach} of the 14 d that are read (report.since or --since): "
        f"{enough} for full confidence, which takes 2 d"
    )
    assert step in reached.next_step
    assert len([query for query in world.queries if "[3600s]" in query]) <= 11


def test_history_that_reaches_far_enough_takes_one_query():
    world = healthy()

    reached = of(look(world), Check.HISTORY)

    assert reached.status == OK
    assert len([query for query in world.queries if "[3600s]" in query]) == 1


def test_signals_that_are_not_exported_are_a_warning_that_says_what_is_lost():
    world = healthy(series=agent(GAUGES[:3] + GAUGES[6:]))

    findings = look(world)

    for metric, words in {
        Metric.EFFECTIVE_SHARE_PERCENT: "by its limit alone",
        Metric.THROTTLED_RATIO: "1.25 times the share",
        Metric.VRAM_DENIED: "Refused allocations are not seen",
    }.items():
        found = of(findings, Check.SIGNALS, metric)
        assert found.status == WARNING
        assert words in found.text


def test_signals_that_the_mapping_does_not_know_are_skipped():
    findings = look(healthy(), DCGM)

    assert {SKIPPED} == {f.status for f in findings if f.check == Check.SIGNALS}


def test_what_is_in_force_and_not_exported_is_named():
    world = healthy(series=agent(GAUGES[:-1]))

    found = of(look(world), Check.IN_FORCE)

    assert found.status == WARNING
    assert "vram-limit (tf_worker_vram_bytes_limit)" in found.text
    assert "tflops-limit" not in found.text
    assert "--workloads" in found.next_step


def test_a_mapping_without_amounts_in_force_asks_for_a_workloads_file():
    found = of(look(healthy(), DCGM), Check.IN_FORCE)

    assert found.status == SKIPPED
    assert "--workloads" in found.next_step


# Whose is it?


def test_series_that_name_no_workload_are_counted():
    series = [*agent(), one("tf_worker_memory_bytes", worker="chat-1", workload=None)]

    found = of(look(healthy(series=series)), Check.LABELS, Metric.VRAM_BYTES)

    assert found.status == WARNING
    assert "1 of 2 series are left out: they name no workload, for example {" in found.text
    assert "workload from workload" in found.next_step


def test_series_of_which_none_names_its_worker_fail():
    series = agent(worker=None, namespace=None)

    found = of(look(healthy(series=series)), Check.LABELS, Metric.TFLOPS)

    assert found.status == FAILED
    assert "they name no namespace or worker" in found.text


def test_a_card_that_no_pod_uses_is_no_fault():
    card = {"workload": None, "worker": None, "namespace": "gpu"}
    series = [
        one("DCGM_FI_DEV_FB_USED", **card, UUID="GPU-1", pod="chat-0"),
        one("DCGM_FI_DEV_FB_USED", **card, UUID="GPU-2", pod="nvidia-dcgm-exporter-x2x4z"),
    ]

    found = of(look(healthy(series=series), DCGM), Check.LABELS)

    assert (found.status, found.next_step) == (OK, "")
    assert "1 of 2 series are left out: they name no workload" not in found.text
    assert "as cards that no pod uses" in found.text


def test_a_pod_without_a_namespace_is_a_fault_of_cards_too():
    series = [
        one("DCGM_FI_DEV_FB_USED", worker=None, workload=None, UUID="GPU-1", pod="chat-0"),
        one("DCGM_FI_DEV_FB_USED", worker=None, workload=None, pod="chat-1", namespace=None),
    ]

    found = of(look(healthy(series=series), DCGM), Check.LABELS)

    assert found.status == WARNING
    assert "worker from pod_name or pod" in found.next_step


def test_labels_that_the_scrape_renamed_are_told_with_the_remedy():
    renamed = {f"exported_{name}": WORKER[name] for name in ("namespace", "workload")}
    series = agent(**renamed, namespace="tensor-fusion", workload="agent")

    found = of(look(healthy(series=series)), Check.HONOR_LABELS)

    assert found.status == WARNING
    assert "exported_namespace and exported_workload" in found.text
    assert "honorLabels: true" in found.next_step


def test_renamed_labels_are_usual_where_pods_name_the_workload():
    labels = {"namespace": "monitoring", "pod": "nvidia-dcgm-exporter-x2x4z"}
    exported = {"exported_namespace": "team", "exported_pod": "chat-0"}
    series = [one("DCGM_FI_DEV_FB_USED", workload=None, worker=None, **labels, **exported)]

    found = of(look(healthy(series=series), DCGM), Check.HONOR_LABELS)

    assert (found.status, found.next_step) == (OK, "")
    assert "exported_namespace and exported_pod" in found.text


def test_a_workload_that_is_the_exporter_fails():
    series = agent(workload="tensor-fusion-agent")

    found = of(look(healthy(series=series)), Check.EXPORTER_LABELS)

    assert found.status == FAILED
    assert "1 of 1 series" in found.text
    assert "'tensor-fusion-agent'" in found.text


def test_one_workload_that_is_called_as_its_exporter_is_a_warning():
    series = agent() + agent(workload="tensor-fusion-agent", worker="a-0")

    assert of(look(healthy(series=series)), Check.EXPORTER_LABELS).status == WARNING


def test_a_renamed_exporter_label_is_not_taken_for_the_workload():
    series = agent(workload="tensor-fusion-agent", exported_workload="chat")

    assert of(look(healthy(series=series)), Check.EXPORTER_LABELS).status == OK


def test_a_pair_of_servers_that_scrape_the_same_is_told():
    series = agent(prometheus_replica="a") + agent(prometheus_replica="b")

    found = of(look(healthy(series=series)), Check.DUPLICATES)

    assert found.status == WARNING
    assert "team/chat/chat-0 has 2; they differ in prometheus_replica" in found.text
    assert "dedup: 'true'" in found.next_step
    assert "--selector prometheus_replica=VALUE, which is a or b." in found.next_step


def test_a_worker_that_is_scraped_twice_is_told():
    series = agent() + agent(job="other", instance="10.0.0.1:9401")

    found = of(look(healthy(series=series)), Check.DUPLICATES)

    assert "they differ in instance and job" in found.text
    assert "several jobs" in found.next_step
    assert "--selector job=VALUE, which is other or tensor-fusion-agent." in found.next_step


def test_a_pair_of_servers_for_two_clusters_is_told_with_both_remedies():
    series = [
        *agent(prometheus_replica="a", cluster="dev"),
        *agent(prometheus_replica="b", cluster="prod"),
    ]

    step = of(look(healthy(series=series)), Check.DUPLICATES).next_step

    assert "dedup: 'true'" in step
    assert "several clusters. Choose one: --selector cluster=VALUE, which is dev or prod." in step


def test_a_workload_in_two_clusters_is_told_though_its_workers_differ():
    clusters = [
        agent(k8s_cluster=name, worker=f"chat-{name}", uuid=f"GPU-{name}")
        for name in ("asia", "eu", "us", "us2")
    ]
    alone = agent(k8s_cluster="eu", workload="search", worker="search-0")

    found = of(look(healthy(series=[*chain(*clusters), *alone])), Check.DUPLICATES)

    assert found.status == WARNING
    assert found.text == (
        "1 of 2 workloads have workers in several clusters, for example team/chat in asia, eu, us "
        "and us2. They are taken for one workload"
    )
    assert "--selector k8s_cluster=VALUE, which is asia, eu, us or another one." in found.next_step


def test_workloads_of_one_cluster_each_are_not_mixed():
    series = [*agent(cluster="eu"), *agent(cluster="us", workload="search", worker="search-0")]

    assert of(look(healthy(series=series)), Check.DUPLICATES).status == OK


def test_a_workload_that_moved_to_another_cluster_is_not_mixed():
    before = agent(cluster="eu", last_s=NOW_S - 200)
    after = agent(cluster="us", worker="chat-1", first_s=NOW_S - 180)

    assert of(look(healthy(series=before + after)), Check.DUPLICATES).status == OK


def test_a_worker_on_two_devices_is_no_duplicate():
    series = agent() + agent(uuid="GPU-2")

    assert of(look(healthy(series=series)), Check.DUPLICATES).status == OK


def test_an_exporter_that_has_restarted_is_no_duplicate():
    before = agent(instance="10.0.0.7:9400", last_s=NOW_S - 90)
    after = agent(instance="10.0.0.8:9400", first_s=NOW_S - 70)

    assert of(look(healthy(series=before + after)), Check.DUPLICATES).status == OK


# What was said beside the answers


def test_a_partial_answer_is_told_with_the_words_of_the_server():
    found = of(look(healthy(warnings=["store 10.0.0.9 is down"])), Check.PARTIAL)

    assert found.status == WARNING
    assert found.text == "The server warns: store 10.0.0.9 is down"


def test_of_many_warnings_a_few_are_told():
    warnings = [f"store {number} is down" for number in range(10)]

    found = of(look(healthy(warnings=warnings)), Check.PARTIAL)

    assert found.text.endswith("store 2 is down; and 7 more")


def test_what_a_mapping_cannot_give_is_told():
    findings = look(healthy(), GREPTIMEDB)

    told = [finding.text for finding in findings if finding.check == Check.MAPPING]
    assert [f"greptimedb: {limit}" for limit in GREPTIMEDB.limits] == told


def test_own_names_are_looked_for():
    own = replace(
        AGENT,
        name="own",
        metrics={Metric.VRAM_BYTES: (SeriesName(series="vram_used"),)},
        in_force={},
    )

    findings = look(healthy(series=[one("vram_used")]), own)

    assert of(findings, Check.SERIES).text.startswith("vram_used: 1 series")
    assert FAILED not in {finding.status for finding in findings}


def test_a_question_that_the_server_refuses_is_skipped_alone():
    refused = refusal("@ 600", 400, "bad_data", "unexpected character: '@'")

    findings = look(healthy(refusals=[refused]))

    ranges = of(findings, Check.RANGES)
    assert ranges.status == SKIPPED
    assert "unexpected character: '@'" in ranges.text
    assert {OK} == {finding.status for finding in findings if finding is not ranges}


def test_a_question_that_takes_too_long_fails_alone():
    refused = refusal("[3600s]", 503, "timeout", "query timed out in expression evaluation")

    findings = look(healthy(refusals=[refused]))

    found = of(findings, Check.HISTORY)
    assert found.status == FAILED
    assert "query timed out" in found.text
    assert "--timeout" in found.next_step
    assert {OK} == {finding.status for finding in findings if finding is not found}


@pytest.mark.parametrize("number", ["NaN", "+Inf", "-Inf", "1e300", "-5"])
@pytest.mark.parametrize("part", ["count(", "time()", "timestamp("])
def test_numbers_that_no_server_should_answer_end_no_look(part, number):
    result = {"resultType": "scalar", "result": [NOW_S, number]}
    body = json.dumps({"status": "success", "data": result}).encode()

    world = healthy(series=agent(last_s=NOW_S - 3600), refusals=[Refusal(part, 200, body)])

    findings = look(world)

    assert any(part in query for query in world.queries)
    assert findings[-1].check == Check.MAPPING


@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    [(200, b"<title>Log in</title>", "text/html"), (403, b"queries only", "text/plain")],
)
def test_a_server_that_hides_its_build_page_lacks_nothing(status, body, content_type):
    findings = look(healthy(build=Refusal("", status, body, content_type)))

    assert of(findings, Check.SERVER).text == "A server without build information"
    assert {OK} == {finding.status for finding in findings}


def test_examples_of_labels_are_short():
    labels = {f"label_{number}": "x" * 1000 for number in range(50)}

    findings = look(healthy(series=[*agent(namespace=None, **labels), *agent(**labels)]))

    assert max(len(finding.text) for finding in findings) < 1000


def test_every_check_has_a_section_of_the_documentation():
    page = Path(__file__).parents[4] / "docs" / "check.md"
    sections = re.findall(r"^### (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)

    expected = [str(check) for check in Check]
    assert expected == [section for section in sections if section in set(Check)]
