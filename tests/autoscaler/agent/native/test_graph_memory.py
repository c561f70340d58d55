"""Allocation nodes of graphs count from the first launch on, as much as the driver holds."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from tests.autoscaler.agent.native.limited_memory import (
    LAUNCH_FAILED,
    LIMIT_BYTES,
    MIB,
    LimitedMemory,
    admit,
)
from tests.autoscaler.agent.native.pod_pages import PodFolder


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PodFolder:
    return admit(tmp_path, monkeypatch)


@pytest.fixture
def memory(pod: PodFolder) -> LimitedMemory:
    return LimitedMemory(pod.root)


GRAPH, OTHER_GRAPH = 0x100, 0x200


def test_a_graphs_allocations_count_from_its_launch_on(memory: LimitedMemory) -> None:
    memory.tell("driver_set_graph", 3, MIB, 1)
    memory.tell("tf_graph_memory_note", GRAPH, 0)
    assert memory.held_bytes() == 0
    assert memory.library.tf_graph_memory_hold(ctypes.c_uint64(GRAPH))
    assert memory.held_bytes() == 3 * MIB
    memory.tell("driver_set_graph_bytes", 0, 2 * MIB)
    memory.tell("tf_graph_memory_settle", GRAPH, 0)
    assert 2 * MIB == memory.held_bytes() == memory.live_bytes()


def test_graphs_that_share_memory_are_charged_once(memory: LimitedMemory) -> None:
    memory.tell("driver_set_graph", 1, LIMIT_BYTES // 2, 1)
    for graph in (GRAPH, OTHER_GRAPH):
        memory.tell("tf_graph_memory_note", graph, 0)
        for _ in range(3):
            assert memory.library.tf_graph_memory_hold(ctypes.c_uint64(graph))
            memory.tell("driver_set_graph_bytes", 0, LIMIT_BYTES // 2)
            memory.tell("tf_graph_memory_settle", graph, 0)
    assert memory.held_bytes() == LIMIT_BYTES // 2
    memory.tell("tf_graph_memory_forget", GRAPH)
    assert memory.held_bytes() == LIMIT_BYTES // 2
    assert memory.call("cuDeviceGraphMemTrim", 0) == 0
    assert memory.held_bytes() == 0


def test_a_graph_that_does_not_fit_is_not_launched(memory: LimitedMemory) -> None:
    memory.make("cuMemAlloc_v2", LIMIT_BYTES - MIB)
    memory.tell("driver_set_graph", 2, MIB, 1)
    memory.tell("tf_graph_memory_note", GRAPH, 0)
    assert not memory.library.tf_graph_memory_hold(ctypes.c_uint64(GRAPH))
    assert memory.held_bytes() == LIMIT_BYTES - MIB


def test_a_graph_whose_launch_failed_holds_nothing(memory: LimitedMemory) -> None:
    memory.tell("driver_set_graph", 2, MIB, 1)
    memory.tell("tf_graph_memory_note", GRAPH, 0)
    for _ in range(2):
        assert memory.library.tf_graph_memory_hold(ctypes.c_uint64(GRAPH))
        assert memory.held_bytes() == 2 * MIB
        memory.tell("tf_graph_memory_settle", GRAPH, LAUNCH_FAILED)
        assert memory.held_bytes() == 0


def test_where_the_driver_does_not_say_a_graph_is_charged_for_its_nodes(
    memory: LimitedMemory,
) -> None:
    memory.tell("driver_set_graph", 2, MIB, 0)
    memory.tell("tf_graph_memory_note", GRAPH, 0)
    for _ in range(2):
        assert memory.library.tf_graph_memory_hold(ctypes.c_uint64(GRAPH))
        memory.tell("tf_graph_memory_settle", GRAPH, 0)
        assert memory.held_bytes() == 2 * MIB
    memory.tell("tf_graph_memory_forget", GRAPH)
    assert memory.held_bytes() == 0
