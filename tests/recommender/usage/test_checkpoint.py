from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.errors import CheckpointError
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM
from recommender.usage.checkpoint import model_from_bytes, model_to_bytes
from recommender.usage.evidence_of import read_evidence
from tests.recommender.usage.one_workload import BEGIN_S, GIB, VRAM_COLUMN, OneWorkload

RESOURCES = (TFLOPS, VRAM)


def used(seed=1, end=7200):
    rng = np.random.default_rng(seed)
    pair = OneWorkload(workers=2)
    pair.set_readiness(started=0, ready=200)
    feed(pair, rng, 0, end)
    pair.model.deny(
        pair.workers[:1], np.array([BEGIN_S + 100]), np.array([2.0]), now_s=BEGIN_S + 100 + 15
    )
    pair.advance(end)
    return pair


def feed(into, rng, start, end):
    for worker in range(2):
        for resource, unit in ((0, 1.0), (VRAM_COLUMN, GIB / 8)):
            samples = [
                (t, float(v) * unit)
                for t, v in zip(
                    range(start, end, 15),
                    rng.integers(1, 90, (end - start + 14) // 15),
                    strict=True,
                )
            ]
            into.feed(samples, worker=worker, resource=resource, now=end, share=80.0 * unit)


def restored(workload, data):
    twin = OneWorkload(workers=2)
    twin.model = model_from_bytes(data, RESOURCES)
    twin.state = workload.state
    return twin


def assert_equal_statistics(one, other, now):
    rows = one.rows
    pairs = [
        (one.statistics(now), other.statistics(now)),
        tuple(read_evidence(w.model, rows, BEGIN_S + now) for w in (one, other)),
    ]
    for left, right in pairs:
        for name in left.__dataclass_fields__:
            a, b = getattr(left, name), getattr(right, name)
            assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), name
    for period_s in (60, 600):
        demands = [[w.demand(now, period_s, k) for k in (0, 1)] for w in (one, other)]
        np.testing.assert_array_equal(*demands)


def test_a_restored_model_has_the_same_statistics():
    saved = used()
    again = restored(saved, model_to_bytes(saved.model))
    assert_equal_statistics(saved, again, 7200)
    assert again.model.counts == saved.model.counts
    assert again.model.workloads.keys == saved.model.workloads.keys
    assert again.model.workers.keys == saved.model.workers.keys


def test_an_empty_model_survives():
    again = model_from_bytes(model_to_bytes(OneWorkload().model), RESOURCES)
    assert again.workloads.keys == [("team", "chat", "")]


def test_a_history_that_has_not_closed_yet_survives():
    saved = OneWorkload(workers=2)
    feed(saved, np.random.default_rng(3), 0, 7200)
    again = restored(saved, model_to_bytes(saved.model))
    for workload in (saved, again):
        workload.advance(7200)
    assert saved.store().points.tolist() == [118]
    assert_equal_statistics(saved, again, 7200)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(15, 1200), min_size=1, max_size=4))
def test_a_restored_model_goes_on_like_the_saved_one(seed, lengths):
    saved = used(seed, end=3600)
    again = restored(saved, model_to_bytes(saved.model))
    now = 3600
    for i, length in enumerate(lengths):
        for workload in (saved, again):
            feed(workload, np.random.default_rng(seed + i), now, now + length)
            workload.advance(now + length)
            if i == 1:
                workload.model.drop_workers(workload.workers[:1])
                names = ["chat-0"]
                workload.model.worker_rows(workload.rows, names)
        now += length
        assert_equal_statistics(saved, again, now)
    assert saved.model.counts == again.model.counts


def test_saving_changes_nothing():
    saved = used()
    assert model_to_bytes(saved.model) == model_to_bytes(saved.model)


@pytest.mark.parametrize("where", [0, 5, 20, 100, 5000, -1])
def test_one_changed_byte_is_damage(where):
    data = bytearray(model_to_bytes(used(end=600).model))
    data[where] ^= 0xFF
    with pytest.raises(CheckpointError, match=r"damaged|no checkpoint"):
        model_from_bytes(bytes(data), RESOURCES)


@pytest.mark.parametrize("length", [0, 1, 30, 41, 1000])
def test_truncated_bytes_are_no_checkpoint(length):
    data = model_to_bytes(used(end=600).model)
    with pytest.raises(CheckpointError):
        model_from_bytes(data[:length], RESOURCES)


def test_foreign_bytes_are_no_checkpoint():
    with pytest.raises(CheckpointError, match="no checkpoint of usage"):
        model_from_bytes(b"PK\x03\x04" + bytes(200), RESOURCES)


def test_a_checkpoint_of_other_resources_is_refused_by_name():
    data = model_to_bytes(used(end=600).model)
    with pytest.raises(CheckpointError, match="tflops, vram_bytes"):
        model_from_bytes(data, (COMPUTE_PERCENT, VRAM))


def test_a_checkpoint_of_another_version_is_refused():
    body = io.BytesIO()
    np.savez(body, header=np.frombuffer(json.dumps({"version": 99}).encode(), np.uint8))
    seal = hashlib.sha256(body.getvalue()).digest()
    data = model_to_bytes(OneWorkload().model)[:10] + seal + body.getvalue()
    with pytest.raises(CheckpointError, match="version 99"):
        model_from_bytes(data, RESOURCES)
