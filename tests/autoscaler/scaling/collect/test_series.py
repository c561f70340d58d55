from __future__ import annotations

import numpy as np

from autoscaler.scaling.collect.series import SeriesIndex
from recommender.resources import TFLOPS
from recommender.usage.checkpoint import model_from_bytes, model_to_bytes
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import view


def _labels(*workers, **more):
    named = {"namespace": "team", "workload": "chat"} | more
    return tuple(named | {"worker": worker} for worker in workers)


def test_numbers_of_forgotten_series_are_given_to_new_ones():
    model = UsageModel((TFLOPS,))
    index = SeriesIndex(model)
    highest = []
    for generation in range(50):
        rows = index.rows_of(_labels(f"chat-{generation}", gpu_model="A100"))
        highest.append(int(rows.series.max()))
        index.forget(rows.worker)
        model.drop_workers(rows.worker)

    assert set(highest) == {0}


def test_two_workers_never_share_a_number():
    model = UsageModel((TFLOPS,))
    index = SeriesIndex(model)
    index.rows_of(_labels("a", "b", "c"))
    gone = index.rows_of(_labels("b")).worker
    index.forget(gone)
    model.drop_workers(gone)

    rows = index.rows_of(_labels("a", "c", "d", "e"))

    assert len(set(rows.series.tolist())) == 4
    assert len(set(rows.worker.tolist())) == 4


def test_a_restored_model_tells_the_gpu_model_of_workloads_that_state_none():
    model = UsageModel((TFLOPS,))
    SeriesIndex(model).rows_of(_labels("chat-0", gpu_model="A100"))

    index = SeriesIndex(model_from_bytes(model_to_bytes(model), (TFLOPS,)))

    assert index.keys_of([view(gpu_model="")]) == (("team", "chat", "NVIDIA A100-SXM4-80GB"),)


def test_the_last_samples_of_a_workload_that_is_gone_stay_with_what_it_stated():
    model = UsageModel((TFLOPS,))
    index = SeriesIndex(model)
    index.state_gpu_models([view()])
    before = index.rows_of(_labels("chat-0")).workload
    index.state_gpu_models([])

    assert index.rows_of(_labels("chat-0")).workload.tolist() == before.tolist()


def test_a_workload_that_is_forgotten_states_nothing_any_more():
    model = UsageModel((TFLOPS,))
    index = SeriesIndex(model)
    index.state_gpu_models([view()])
    rows = index.rows_of(_labels("chat-0"))
    index.forget_workloads(rows.workload)
    model.drop_workloads(rows.workload)

    index.rows_of(_labels("chat-0"))

    assert model.workloads.keys == [("team", "chat", "")]
    assert np.array_equal(index.rows_of(_labels("chat-0")).workload, [0])


def test_series_without_samples_make_no_worker_until_they_are_measured_again():
    model = UsageModel((TFLOPS,))
    index = SeriesIndex(model)
    table = _labels("gone", "chat-0")
    gone = index.rows_of(table, np.array([0, 1, 0])).worker[:1]
    index.forget(gone)
    model.drop_workers(gone)

    index.rows_of(table, np.array([1, 1]))
    known = list(model.workers.keys)
    rows = index.rows_of(table, np.array([1, 0]))

    assert known == [None, (0, "chat-0")]
    assert model.workers.keys == [(0, "gone"), (0, "chat-0")]
    assert (rows.series >= 0).all()
    assert rows.worker.tolist() == [0, 1]
