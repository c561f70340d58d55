"""Fixtures of the cluster tests: a control plane for the whole run, a namespace for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from tests.cluster.control_plane import ControlPlane, start_control_plane
from tests.cluster.kubelet import FakeKubelet
from tests.cluster.nodes import temporary_node
from tests.cluster.pods import Cluster
from tests.cluster.rest import Rest
from tests.components.fixtures import needed_program
from tests.components.programs import CLUSTER_PROGRAMS

NUMBERS = count(1)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Run one control plane for all tests; who breaks it uses ``own_control_plane``.

    Objects without a namespace are seen by all tests: they carry names of their own and are removed
    by the test that made them.
    """
    for name in CLUSTER_PROGRAMS:
        needed_program(name)
    with start_control_plane(tmp_path_factory.mktemp("cluster")) as plane:
        yield plane


@pytest.fixture
def own_control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Run an etcd and an API server for one test, which may stop and pause them."""
    for name in CLUSTER_PROGRAMS:
        needed_program(name)
    folder = tmp_path_factory.mktemp("own-cluster")
    with start_control_plane(folder, controllers=False, scheduler=False) as plane:
        yield plane


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """Make a fresh namespace; it is deleted afterwards, and nobody waits for that."""
    name = f"test-{next(NUMBERS)}"
    with closing(Rest(control_plane)) as rest:
        rest.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        yield name
        rest.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def kubelet(control_plane: ControlPlane, tmp_path: Path) -> Iterator[FakeKubelet]:
    """Run the kubelet of a fresh node of 8 CPUs and 32 GiB."""
    name = f"node-{next(NUMBERS)}"
    with (
        temporary_node(control_plane, name),
        FakeKubelet(control_plane, [name], tmp_path / "kubelet") as running,
    ):
        yield running


@pytest.fixture
def cluster(control_plane: ControlPlane, namespace: str, kubelet: FakeKubelet) -> Cluster:
    """Apply, get and await objects in the namespace of a test that has a kubelet."""
    return Cluster(control_plane, namespace, kubelet)
