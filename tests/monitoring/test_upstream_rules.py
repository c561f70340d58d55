"""Alerts in SQL for the evaluator of an upstream operator, asked of the engine of its store.

Tables have the columns and types of that store.
"""

import re
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
import yaml
from datafusion import SessionContext

from recommender.durations import parse_duration_s
from tests.golden.alert_rules import RULES
from tests.monitoring.test_alerts import ALERTS

PAGE = RULES.with_name("upstream-rules.yaml")
TWINS = {rule["name"]: rule for rule in yaml.safe_load(PAGE.read_text("utf-8"))["alertRules"]}
FIELD = re.compile(r"\{\{ \.(\w+) \}\}")
FIELDS_OF_A_RULE = {
    "name": str,
    "query": str,
    "threshold": int,
    "evaluationInterval": str,
    "consecutiveCount": int,
    "severity": str,
    "summary": str,
    "description": str,
    "alertTargetInstance": str,
    "runbookURL": str,
}
GIB = 2**30
TEXT, NUMBER, COUNT = pa.string(), pa.float64(), pa.int64()
BYTES, TIME = pa.uint64(), pa.timestamp("ms")
TABLES = {
    "tf_worker_usage": {
        **dict.fromkeys(("workload", "worker", "pool", "node", "namespace", "uuid"), TEXT),
        **dict.fromkeys(("compute_percentage", "compute_tflops"), NUMBER),
        "memory_bytes": BYTES,
        **dict.fromkeys(("compute_throttled_cnt", "vram_freezed_cnt", "vram_resumed_cnt"), COUNT),
        "ts": TIME,
    },
    "tf_worker_resources": {
        **dict.fromkeys(("worker", "workload", "pool", "namespace", "qos"), TEXT),
        **dict.fromkeys(("tflops_request", "tflops_limit"), NUMBER),
        **dict.fromkeys(("vram_bytes_request", "vram_bytes_limit", "raw_cost"), NUMBER),
        "gpu_count": COUNT,
        "ts": TIME,
    },
    "tf_gpu_usage": {
        **dict.fromkeys(("node", "pool", "uuid"), TEXT),
        **dict.fromkeys(("compute_percentage", "memory_percentage", "compute_tflops"), NUMBER),
        "memory_bytes": BYTES,
        **dict.fromkeys(("rx", "tx", "temperature"), NUMBER),
        "ts": TIME,
    },
}


def worker(name="chat-0", *, s_ago=10, uuid="GPU-1", **measured):
    return "tf_worker_usage", s_ago, {"worker": name, "namespace": "a", "uuid": uuid, **measured}


def stated(name="chat-0", *, s_ago=50, gib=8):
    row = {"worker": name, "namespace": "a", "vram_bytes_limit": gib * GIB}
    return "tf_worker_resources", s_ago, row


def card(*, gib=40, percent=50.0, uuid="GPU-1"):
    row = {"uuid": uuid, "memory_bytes": gib * GIB, "memory_percentage": percent}
    return "tf_gpu_usage", 20, row


def answers(rule, *rows):
    """Return what the store answers, as rows by column."""
    now = datetime.now(UTC).replace(tzinfo=None)
    context = SessionContext()
    for table, types in TABLES.items():
        columns = {name: [] for name in types}
        for of, s_ago, row in rows:
            if of == table:
                full = {"ts": now - timedelta(seconds=s_ago), **row}
                assert full.keys() <= types.keys()
                for name, column in columns.items():
                    column.append(full.get(name))
        arrays = [pa.array(columns[name], kind) for name, kind in types.items()]
        batch = pa.record_batch(arrays, names=list(types))
        context.register_record_batches(table, [[batch]])
    return context.sql(query_of(rule)).to_pylist()


def query_of(rule):
    """Return what the evaluator asks."""
    within_s = parse_duration_s(rule["evaluationInterval"], "evaluationInterval")
    given = {
        "Conditions": f"ts >= now() - INTERVAL '{within_s} seconds'",
        "Threshold": str(rule["threshold"]),
    }
    return FIELD.sub(lambda field: given[field[1]], rule["query"])


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_is_told_as_its_alert_is(name):
    rule, alert = TWINS[name], ALERTS[name]

    assert {field: type(value) for field, value in rule.items()} == FIELDS_OF_A_RULE
    assert rule["severity"] == alert["labels"]["priority"]
    assert rule["runbookURL"] == alert["annotations"]["runbook_url"]


@pytest.mark.parametrize("name", TWINS)
def test_the_time_that_a_twin_looks_at_is_the_alert_s(name):
    rule = TWINS[name]
    interval_s = parse_duration_s(rule["evaluationInterval"], "evaluationInterval")
    looked_s = interval_s * rule["consecutiveCount"]

    told_s = parse_duration_s(ALERTS[name]["for"], "for")

    assert told_s <= looked_s <= 2 * told_s


FIRES = {
    "WorkloadVRAMNearLimit": [stated(), worker(memory_bytes=int(7.9 * GIB))],
    "WorkloadComputeThrottled": [
        worker(s_ago=50, compute_throttled_cnt=7),
        worker(s_ago=5, compute_throttled_cnt=9),
    ],
    "WorkloadIdleGPU": [card(), worker(compute_percentage=0.4, memory_bytes=GIB)],
}


@pytest.mark.parametrize("name", TWINS)
def test_texts_show_columns_of_the_answer(name):
    rule = TWINS[name]
    [row] = answers(rule, *FIRES[name])
    assert (row["namespace"], row["worker"]) == ("a", "chat-0")

    for part in ("summary", "description", "alertTargetInstance"):
        assert set(FIELD.findall(rule[part])) <= {*row, "Threshold"}


@pytest.mark.parametrize(
    ("rows", "percents"),
    [
        ([stated(), worker(memory_bytes=int(7.5 * GIB))], []),
        ([stated(gib=0), worker(memory_bytes=GIB)], []),
        ([stated("other-0"), worker(memory_bytes=8 * GIB)], []),
        ([stated(), worker(memory_bytes=8 * GIB, s_ago=150)], []),
        # of two cards, the fuller one counts
        ([stated(), worker(memory_bytes=GIB), worker(memory_bytes=8 * GIB, uuid="GPU-2")], [100.0]),
        ([stated(gib=6), stated(s_ago=100), worker(memory_bytes=8 * GIB)], [100.0]),
    ],
)
def test_vram_near_its_limit_is_told_of_the_worker(rows, percents):
    found = answers(TWINS["WorkloadVRAMNearLimit"], *rows)

    assert [row["percent"] for row in found] == percents


@pytest.mark.parametrize(
    "rows",
    [
        [worker(compute_throttled_cnt=9)],
        [worker(s_ago=50, compute_throttled_cnt=9), worker(compute_throttled_cnt=9)],
        [worker(s_ago=90, compute_throttled_cnt=7), worker(compute_throttled_cnt=9)],
        # counts of two cards are not of one counter
        [worker(compute_throttled_cnt=7), worker(compute_throttled_cnt=9, uuid="GPU-2")],
    ],
)
def test_a_worker_that_is_not_held_down_is_not_told(rows):
    assert answers(TWINS["WorkloadComputeThrottled"], *rows) == []


@pytest.mark.parametrize(
    "rows",
    [
        [card(), worker(compute_percentage=1.5, memory_bytes=GIB)],
        [card(), worker(compute_percentage=0.4, memory_bytes=5 * GIB)],
        [card(uuid="GPU-2"), worker(compute_percentage=0.4, memory_bytes=GIB)],
        [
            card(),
            worker(compute_percentage=0.4, memory_bytes=GIB),
            worker(s_ago=500, compute_percentage=60.0, memory_bytes=GIB),
        ],
    ],
)
def test_a_worker_that_uses_its_card_is_not_called_idle(rows):
    assert answers(TWINS["WorkloadIdleGPU"], *rows) == []
