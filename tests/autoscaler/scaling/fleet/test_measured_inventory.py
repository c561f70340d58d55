"""Whom a metrics server measured, and on which cards."""

import pytest

from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.fleet.measured_inventory import peaks_of
from recommender.gpu_models import find_gpu_model


@pytest.mark.parametrize(
    ("labels", "peak_tflops"),
    [({"gpu_model": "A100"}, 312.0), ({"gpu_model": "unheard of"}, None), ({}, None)],
)
def test_the_peak_of_a_series_is_that_of_its_card(labels, peak_tflops):
    assert peaks_of({}, GpuModels())(labels) == peak_tflops


def test_the_peak_of_a_series_without_a_card_is_that_of_the_default_one():
    assert peaks_of({}, GpuModels(default=find_gpu_model("A100")))({}) == 312.0
