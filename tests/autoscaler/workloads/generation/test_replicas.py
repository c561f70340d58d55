"""Which number of replicas stands in the spec of a workload."""

import pytest

from autoscaler.api.names import WorkloadMode
from autoscaler.workloads.generation.replicas import wanted_replicas


def wanted(mode, *, is_autoscaled=False, present=None, stated=None, owned=3, clients=2):
    return wanted_replicas(
        mode,
        is_autoscaled=is_autoscaled,
        present=present,
        stated=stated,
        owned=owned,
        clients=clients,
    )


@pytest.mark.parametrize("mode", [WorkloadMode.EMBEDDED, WorkloadMode.STANDALONE])
def test_where_the_gpu_is_local_the_owners_number_counts(mode):
    assert wanted(mode, is_autoscaled=True, present=9, stated=7) == 3


def test_in_remote_mode_the_stated_number_counts_and_without_one_each_client_has_a_worker():
    assert wanted(WorkloadMode.REMOTE, present=9, stated=7) == 7
    assert wanted(WorkloadMode.REMOTE, present=9) is None


def test_a_number_that_the_autoscaler_sets_is_filled_once_and_left_to_it():
    assert wanted(WorkloadMode.REMOTE, is_autoscaled=True, stated=7) == 7
    assert wanted(WorkloadMode.REMOTE, is_autoscaled=True, present=9, stated=7) == 9
    assert wanted(WorkloadMode.REMOTE, is_autoscaled=True) == 2
    assert wanted(WorkloadMode.REMOTE, is_autoscaled=True, clients=0) == 1


def test_where_nobody_says_the_mode_the_number_stays():
    assert wanted(None, present=9, stated=7) == 9
