"""Utilisation of processes from the driver's samples."""

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.devices.nvml import Utilization
from autoscaler.agent.devices.process_utilization import ProcessUtilization
from tests.autoscaler.agent.devices.nvml_double import Card, started, uuid

START_US = 1_800_000_000_000_000


def sample(pid, ms, percent):
    return Utilization(pid=pid, time_us=START_US + ms * 1000, sm_percent=percent)


class Looks:
    """One device that is looked at, with the samples that its driver keeps."""

    def __init__(self):
        self.card = Card(uuid=uuid(1))
        self._nvml = started(self.card)
        self._utilization = ProcessUtilization()

    def at(self, ms, *new, clock_ms=None):
        self.card.utilization += new
        percents = self._utilization.read(
            self._nvml,
            self._nvml.device(0),
            monotonic_s=ms / 1000,
            time_us=START_US + (ms if clock_ms is None else clock_ms) * 1000,
        )
        return None if percents is None else dict(percents)


def test_a_device_that_nobody_uses_has_no_figures():
    assert Looks().at(0) == {}


def test_a_process_has_the_mean_of_its_new_samples():
    looks = Looks()
    assert looks.at(200, sample(7, 100, 20), sample(7, 200, 40)) == {7: 30.0}
    assert looks.at(400, sample(7, 400, 90)) == {7: 90.0}


def test_a_look_between_two_samples_changes_nothing():
    looks = Looks()
    looks.at(200, sample(7, 200, 40))
    assert looks.at(300) == {7: 40.0}


def test_a_process_without_a_sample_beside_one_that_has_one_is_idle():
    looks = Looks()
    looks.at(200, sample(7, 200, 40), sample(8, 200, 50))
    assert looks.at(400, sample(8, 400, 60)) == {8: 60.0}


def test_all_are_idle_when_no_sample_has_come_for_long():
    looks = Looks()
    looks.at(200, sample(7, 200, 40))
    assert looks.at(1300) == {7: 40.0}
    assert looks.at(1500) == {}


def test_samples_of_before_the_first_look_are_not_of_now():
    assert Looks().at(5000, sample(7, 100, 40)) == {}


def test_slots_that_the_driver_has_not_filled_count_nothing():
    looks = Looks()
    assert looks.at(200, sample(0, 150, 99), sample(7, 200, 10)) == {7: 10.0}


def test_a_figure_above_all_of_the_time_is_all_of_the_time():
    assert Looks().at(200, sample(7, 200, 137)) == {7: 100.0}


def test_a_clock_that_was_set_back_is_followed():
    looks = Looks()
    looks.at(60_000, sample(7, 60_000, 40))
    looks.card.utilization.clear()
    assert looks.at(60_200, sample(7, 900, 50), clock_ms=1000) == {7: 50.0}
    assert looks.at(60_400, sample(7, 1100, 60), clock_ms=1200) == {7: 60.0}


def test_a_device_that_tells_no_utilisation_has_none():
    looks = Looks()
    looks.card.utilization = None
    assert (
        looks._utilization.read(
            looks._nvml, looks._nvml.device(0), monotonic_s=0.0, time_us=START_US
        )
        is None
    )


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 900), st.floats(0, 500)), max_size=30))
def test_figures_are_shares_of_processes_that_exist(samples):
    percents = Looks().at(900, *(sample(*each) for each in samples))
    assert all(0 <= percent <= 100 for percent in percents.values())
    assert percents.keys() <= {pid for pid, _, _ in samples} - {0}
