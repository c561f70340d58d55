from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.printable import printable
from autoscaler.sources.prometheus.labels import ANSWERS_REMEMBERED, SPARE_SETS, LabelTable
from autoscaler.sources.prometheus.mapping import OUR_LABELS
from autoscaler.sources.prometheus.mappings import AGENT, DCGM, GREPTIMEDB
from autoscaler.sources.prometheus.owners import Owner, owner_of
from autoscaler.sources.prometheus.promql import Matcher

WORKER = {
    "__name__": "tf_worker_memory_bytes",
    "instance": "10.0.0.1:9100",
    "namespace": "team",
    "workload": "llm",
    "worker": "llm-0",
    "uuid": "GPU-1",
    "gpu_model": "A100",
    "pool": "default-pool",
    "node": "node-1",
    "qos": "high",
}
OURS = {name: WORKER[name] for name in OUR_LABELS}
CARD = {
    "gpu": "0",
    "UUID": "GPU-1",
    "modelName": "NVIDIA A100-SXM4-80GB",
    "Hostname": "node-1",
    "namespace": "team",
    "pod": "llm-5d7f9c8b64-x2k4z",
}


def read(table, *labels):
    """Return our label set of each series."""
    sets, rows = table.rows(labels)
    return [dict(sets[row]) for row in rows]


def workers(names):
    return tuple(WORKER | {"worker": str(name)} for name in names)


def test_only_our_labels_are_kept():
    assert read(LabelTable(AGENT), WORKER) == [OURS]


def test_no_series_are_no_rows():
    sets, rows = LabelTable(AGENT).rows(())
    assert (sets, rows.tolist(), rows.dtype) == ((), [], np.dtype(np.int64))


def test_a_renamed_label_counts_before_the_scrapers_own():
    renamed = WORKER | {"namespace": "monitoring", "exported_namespace": "team"}
    assert read(LabelTable(AGENT), renamed) == [OURS]


def test_an_empty_label_counts_as_missing():
    empty = WORKER | {"exported_worker": "", "qos": ""}
    assert read(LabelTable(AGENT), empty) == [{k: v for k, v in OURS.items() if k != "qos"}]


def test_series_without_a_worker_keep_what_they_have():
    partial = {"instance": "10.0.0.1:9100", "node": "node-1"}
    assert read(LabelTable(AGENT), partial, {}, {"job": "x"}) == [{"node": "node-1"}, {}, {}]


def test_the_first_name_that_a_series_has_counts():
    old = {"namespace": "team", "workload_name": "llm", "worker_name": "llm-0"}
    new = {"namespace": "team", "workload": "llm", "worker": "b1f0", "pod_name": "llm-0"}
    expected = {"namespace": "team", "workload": "llm", "worker": "llm-0"}
    assert read(LabelTable(GREPTIMEDB), old, new) == [expected, expected]


def test_what_the_writer_does_not_know_is_taken_from_the_pod():
    uid = "0d3ad8b0-5a2c-4f0e-9a6c-2d6f3b1c7e55"
    known = owner_of({("team", "chat-worker-7"): Owner("chat")})
    series = [
        {"namespace": "team", "pod_name": "chat-worker-7", "workload": workload}
        for workload in (uid, "unknown", "", "stated")
    ]
    found = [ours["workload"] for ours in read(LabelTable(GREPTIMEDB, known), *series)]
    assert found == ["chat", "chat", "chat", "stated"]


def test_an_owner_that_is_not_known_leaves_the_workload_out():
    table = LabelTable(DCGM, lambda _namespace, _pod: "")
    assert "workload" not in read(table, CARD)[0]


def test_the_agents_workload_is_never_guessed():
    assert read(LabelTable(AGENT), {"namespace": "team", "worker": "llm-0"}) == [
        {"namespace": "team", "worker": "llm-0"}
    ]


def test_a_card_belongs_to_the_workload_of_its_pod():
    assert read(LabelTable(DCGM), CARD) == [
        {
            "namespace": "team",
            "workload": "llm",
            "worker": "llm-5d7f9c8b64-x2k4z",
            "uuid": "GPU-1",
            "gpu_model": "NVIDIA A100-SXM4-80GB",
            "node": "node-1",
        }
    ]


def test_a_card_without_a_pod_is_not_the_exporters():
    idle = CARD | {"namespace": "gpu-operator", "pod": "nvidia-dcgm-exporter-x2k4z"}
    scraped = idle | {"exported_namespace": "team", "exported_pod": CARD["pod"]}
    nobody, somebody = read(LabelTable(DCGM), idle, scraped)
    assert nobody == {
        "uuid": "GPU-1",
        "gpu_model": "NVIDIA A100-SXM4-80GB",
        "node": "node-1",
    }
    assert (somebody["namespace"], somebody["workload"]) == ("team", "llm")


def test_while_nothing_is_new_the_sets_are_the_same_object():
    table = LabelTable(AGENT)
    first, _ = table.rows(workers("abc"))
    again, rows = table.rows(tuple(dict(label) for label in workers("cab")))
    assert again is first
    assert table.labels is first
    assert rows.tolist() == [2, 0, 1]
    more, rows = table.rows(workers("cd"))
    assert (len(more), rows.tolist(), len(first)) == (4, [2, 3], 3)


def test_the_order_of_labels_means_nothing():
    table = LabelTable(AGENT)
    turned = dict(reversed(WORKER.items()))
    assert table.rows((WORKER, turned, WORKER))[1].tolist() == [0, 0, 0]


@given(st.lists(st.lists(st.dictionaries(st.sampled_from(["worker", "uuid", "x"]), st.text()))))
def test_every_series_gets_the_set_of_its_own_labels(answers):
    table = LabelTable(AGENT)
    for labels in answers:
        expected = [
            {k: printable(v) for k, v in series.items() if v and k != "x"} for series in labels
        ]
        assert read(table, *labels) == expected


@given(st.lists(st.integers(0, 1500), min_size=1, max_size=20), st.booleans())
def test_workers_that_come_and_go_do_not_fill_the_memory(sizes, is_alternating):
    table = LabelTable(AGENT)
    for number, size in enumerate(sizes):
        population = number % 3 if is_alternating else number
        labels = workers(f"{population}-{worker}" for worker in range(size))
        sets, rows = table.rows(labels)
        assert [sets[row]["worker"] for row in rows] == [label["worker"] for label in labels]
        live = max(sizes[max(0, number + 1 - ANSWERS_REMEMBERED) : number + 1])
        assert len(sets) <= 2 * live + SPARE_SETS


def test_a_short_or_empty_answer_drops_nobody():
    table = LabelTable(AGENT)
    everybody = workers(range(5000))
    before, _ = table.rows(everybody)
    for _ in range(ANSWERS_REMEMBERED - 1):
        table.rows(())
    after, rows = table.rows(everybody)
    assert after is before
    assert rows.tolist() == list(range(5000))


def test_dropped_sets_leave_older_answers_unharmed():
    table = LabelTable(AGENT)
    old_sets, old_rows = table.rows(workers(f"old-{n}" for n in range(1500)))
    for generation in range(4):
        table.rows(workers(f"{generation}-{n}" for n in range(1500)))
    assert len(table.labels) <= 2 * 1500 + SPARE_SETS
    assert [old_sets[row]["worker"] for row in old_rows[:2]] == ["old-0", "old-1"]


def test_a_workload_is_selected_by_the_names_of_its_series():
    table = LabelTable(AGENT)
    table.rows((WORKER,))
    assert table.matchers_of("team", "llm") == (
        Matcher("namespace", "team"),
        Matcher("workload", "llm"),
    )
    table.rows((WORKER | {"namespace": "monitoring", "exported_namespace": "team"},))
    assert table.matchers_of("team", "llm") == (
        Matcher("exported_namespace", "team"),
        Matcher("workload", "llm"),
    )


def test_a_workload_of_pods_is_selected_by_their_names():
    table = LabelTable(DCGM)
    table.rows((CARD, CARD | {"pod": "llm-0.b"}, CARD | {"pod": "llm-1", "UUID": "GPU-2"}))
    assert table.matchers_of("team", "llm") == (
        Matcher("namespace", "team"),
        Matcher("pod", "llm-1|llm-5d7f9c8b64-x2k4z", "=~"),
    )
    assert table.matchers_of("team", "llm-0.b")[1] == Matcher("pod", r"llm-0\.b", "=~")


def test_a_workload_is_selected_by_the_pods_that_it_has_now():
    table = LabelTable(DCGM)
    table.rows((CARD, CARD | {"pod": "chat-0", "UUID": "GPU-2"}))
    assert table.matchers_of("team", "llm")[1].value == "llm-5d7f9c8b64-x2k4z"
    table.take_owners({("team", "chat-0"): Owner("llm")})
    assert table.matchers_of("team", "llm")[1].value == "chat-0|llm-5d7f9c8b64-x2k4z"
    for generation in range(4):
        table.rows(tuple(CARD | {"pod": f"other-{generation}-{n}"} for n in range(1500)))
    assert table.matchers_of("team", "llm")[1].value == "llm(-.*)?"


def test_a_workload_that_was_not_seen_is_selected_by_the_mappings_names():
    assert LabelTable(AGENT).matchers_of("a", "b") == (
        Matcher("namespace", "a"),
        Matcher("workload", "b"),
    )
    plain = replace(DCGM, labels={"namespace": ("namespace",), "worker": ("pod",)})
    assert LabelTable(plain).matchers_of("a", "b.c") == (
        Matcher("namespace", "a"),
        Matcher("pod", r"b\.c(-.*)?", "=~"),
    )


def test_letters_that_cannot_be_printed_do_not_come_into_reports():
    written = WORKER | {"workload": "llm\x1b[2J\n", "pool": "\u202eloop"}
    assert read(LabelTable(AGENT), written) == [
        OURS | {"workload": "llm\ufffd[2J\ufffd", "pool": "\ufffdloop"}
    ]
