"""Tensor activity between two looks."""

import pytest

from autoscaler.agent.devices.nvml import NvmlError
from autoscaler.agent.devices.tensor_activity import SHORTEST_S, TensorActivity
from tests.autoscaler.agent.devices.nvml_double import Card, started, uuid


class Looked:
    def __init__(self):
        self.card = Card(uuid=uuid(1), tensor_percent=10.0)
        self.nvml = started(self.card)
        self._activity = TensorActivity()

    def at(self, monotonic_s):
        return self._activity.read(self.nvml, self.nvml.device(0), monotonic_s=monotonic_s)


def test_the_first_look_knows_nothing_yet():
    assert Looked().at(0.0) is None


def test_each_look_has_what_was_since_the_one_before():
    looked = Looked()
    looked.at(0.0)
    assert looked.at(1.0) == 10.0
    looked.card.tensor_percent = 20.0
    assert looked.at(2.0) == 20.0


def test_a_look_that_comes_too_soon_has_the_last_figure():
    looked = Looked()
    looked.at(0.0)
    looked.at(1.0)
    looked.card.tensor_percent = 20.0
    assert looked.at(1.0 + SHORTEST_S / 2) == 10.0


def test_a_figure_that_is_no_longer_told_is_none_and_comes_back():
    looked = Looked()
    looked.at(0.0)
    looked.card.tensor_percent = None
    assert looked.at(1.0) is None
    looked.card.tensor_percent = 20.0
    assert [looked.at(2.0), looked.at(3.0)] == [None, 20.0]
    assert looked.nvml.readings == 1


def test_a_lost_card_is_an_error_and_loses_no_reading():
    looked = Looked()
    looked.at(0.0)
    looked.card.is_lost = True
    with pytest.raises(NvmlError, match="GPU is lost"):
        looked.at(1.0)
    assert looked.nvml.readings == 1
