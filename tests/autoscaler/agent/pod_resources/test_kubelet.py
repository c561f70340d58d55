"""What the kubelet tells over its socket, byte by byte as its description says."""

import sys

import grpc
import pytest

from autoscaler.agent.pod_resources.allocation import Allocation, PodResourcesError
from autoscaler.agent.pod_resources.kubelet import ask_kubelet
from tests.autoscaler.agent.pod_resources.kubelet_double import (
    claim,
    container,
    devices,
    kubelet_at,
    pod,
)


@pytest.fixture
def socket(tmp_path):
    return tmp_path / "kubelet.sock"


@pytest.fixture
def kubelet(socket):
    with kubelet_at(socket) as double:
        yield double


def test_devices_of_plugins_are_told_with_their_pod(kubelet, socket):
    kubelet.answer = pod("a", container(devices("nvidia.com/gpu", "GPU-1", "GPU-2"))) + pod(
        "b", container(), container(devices("rdma/hca", "0")), namespace="n"
    )
    assert ask_kubelet(socket) == (
        Allocation(resource="nvidia.com/gpu", device_ids=("GPU-1", "GPU-2"), pod="default/a"),
        Allocation(resource="rdma/hca", device_ids=("0",), pod="n/b"),
    )


def test_devices_of_claims_are_told_by_their_driver(kubelet, socket):
    kubelet.answer = pod("a", container(claim("gpu.nvidia.com", "gpu-3")))
    assert ask_kubelet(socket) == (
        Allocation(resource="gpu.nvidia.com", device_ids=("gpu-3",), pod="default/a"),
    )


def test_a_node_that_gave_nothing_away_has_no_allocations(kubelet, socket):
    assert ask_kubelet(socket) == ()


def test_a_kubelet_that_is_not_there_is_an_error_that_names_the_socket(socket):
    with pytest.raises(PodResourcesError, match=rf"does not answer on {socket}: UNAVAILABLE"):
        ask_kubelet(socket)


def test_a_kubelet_that_refuses_is_quoted(kubelet, socket):
    kubelet.error = grpc.StatusCode.RESOURCE_EXHAUSTED, "rejected by rate limit"
    with pytest.raises(PodResourcesError, match="RESOURCE_EXHAUSTED: rejected by rate limit"):
        ask_kubelet(socket)


def test_an_answer_that_is_none_is_an_error(kubelet, socket):
    kubelet.answer = b"\xff\xff\xff"
    with pytest.raises(PodResourcesError, match="does not answer"):
        ask_kubelet(socket)


def test_a_missing_library_is_an_error_that_names_the_extra(monkeypatch, socket):
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(PodResourcesError, match="install the extra 'pod-resources'"):
        ask_kubelet(socket)
