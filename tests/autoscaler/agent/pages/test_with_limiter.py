"""What the agent writes is what the limiter's own code reads, and the other way round."""

import time

import pytest

from autoscaler.agent.pages.dead_slots import Owner, dead_slots
from autoscaler.agent.pages.folders import folders_within, make_folders
from autoscaler.agent.pages.terms import GPUTerms, Terms
from autoscaler.agent.pages.worker_pages import WorkerPages
from tests.autoscaler.agent.native.pod_process import PodProcess
from tests.autoscaler.agent.pages.pages import GIB

UUIDS = ("GPU-0a", "GPU-0b")


@pytest.fixture
def pages(tmp_path):
    make_folders(folders_within(tmp_path))
    opened = WorkerPages(folders_within(tmp_path), 2)
    yield opened
    opened.close()


@pytest.fixture
def process(tmp_path, pages):
    _apply(pages)
    with PodProcess(tmp_path, {"NVIDIA_VISIBLE_DEVICES": ",".join(UUIDS)}) as started:
        yield started.join()


def _apply(pages, share=0.5, limit_bytes=GIB, **changes):
    gpus = tuple(
        GPUTerms(uuid=uuid, share=share, memory_limit_bytes=limit_bytes, qos_rank=1, **changes)
        for uuid in UUIDS
    )
    pages.apply(Terms(pod_uid="u", gpus=gpus), time.monotonic_ns())


def test_terms_are_in_force_for_every_gpu(pages, process):
    assert [process.share(gpu) for gpu in (0, 1)] == [0.5, 0.5]

    _apply(pages, share=0.25, limit_bytes=2 * GIB, trim_k=1.5, burst_s=0.03, inflight_s=0.01)

    assert process.terms(1) == (2**30, 3 * 2**15, 30_000_000, 10_000_000)
    assert process.call("tf_memory_limit_bytes", 1) == 2 * GIB


def test_what_the_agent_finds_beyond_the_slots_counts_for_the_limit(pages, process):
    _apply(pages, hidden_bytes=GIB // 4)

    granted = [process.call("tf_reserve", 1, size) for size in (GIB // 2, GIB // 2, GIB // 4)]

    assert granted == [1, 0, 1]


def test_memory_and_denials_of_a_process_are_seen(pages, process):
    granted = [process.call("tf_reserve", 1, size) for size in (GIB // 2, GIB)]

    reading = pages.read(1)
    [row] = reading.processes
    assert granted == [1, 0]
    assert (row.pid, row.is_counted) == (process.pid, True)
    assert [reading.memory_bytes(gpu) for gpu in (0, 1)] == [0, GIB // 2]
    assert (reading.gpus[1].denied_allocations, reading.gpus[1].denied_bytes) == (1, GIB)


def test_a_slot_that_is_declared_dead_gives_its_memory_back(tmp_path, pages, process):
    process.call("tf_reserve", 0, GIB)
    [row] = pages.read(1).processes
    alive = {Owner(row.pid, row.start_time)}
    with PodProcess(tmp_path, {"NVIDIA_VISIBLE_DEVICES": ",".join(UUIDS)}) as other:
        other.join()
        before = other.call("tf_reserve", 0, GIB)
        reading = pages.read(2)
        survivors = {Owner(each.pid, each.start_time) for each in reading.processes} - alive

        pages.declare_dead(dead_slots(reading, survivors))
        _apply(pages)

        assert [before, other.call("tf_reserve", 0, GIB)] == [0, 1]
