"""Peaks of devices: tables first, then derived, never guessed."""

import pytest

from autoscaler.agent.devices.peaks import Chip, Peak, derived_tflops, peak_of, short_name
from recommender.gpu_models import GPU_MODELS, GpuModel, find_gpu_model

DATA_SHEETS = (
    ("Tesla T4", Chip(cores=2560, max_sm_clock_mhz=1590, compute_capability=(7, 5))),
    ("Tesla V100-SXM2-32GB", Chip(cores=5120, max_sm_clock_mhz=1530, compute_capability=(7, 0))),
    ("NVIDIA A100-SXM4-80GB", Chip(cores=6912, max_sm_clock_mhz=1410, compute_capability=(8, 0))),
    ("NVIDIA A40", Chip(cores=10752, max_sm_clock_mhz=1740, compute_capability=(8, 6))),
    (
        "NVIDIA GeForce RTX 3090",
        Chip(cores=10496, max_sm_clock_mhz=1695, compute_capability=(8, 6)),
    ),
    (
        "NVIDIA GeForce RTX 4090",
        Chip(cores=16384, max_sm_clock_mhz=2520, compute_capability=(8, 9)),
    ),
    ("NVIDIA L40S", Chip(cores=18176, max_sm_clock_mhz=2520, compute_capability=(8, 9))),
    ("NVIDIA H100 80GB HBM3", Chip(cores=16896, max_sm_clock_mhz=1830, compute_capability=(9, 0))),
    ("NVIDIA B200", Chip(cores=18944, max_sm_clock_mhz=1850, compute_capability=(10, 0))),
    (
        "NVIDIA GeForce RTX 5090",
        Chip(cores=21760, max_sm_clock_mhz=2407, compute_capability=(12, 0)),
    ),
)
"""Cards with their cores and boost clocks, as their vendor states them."""


@pytest.mark.parametrize(("name", "chip"), DATA_SHEETS, ids=[name for name, _ in DATA_SHEETS])
def test_a_derived_peak_is_that_of_the_data_sheet_within_two_percent(name, chip):
    known = find_gpu_model(name)
    assert known is not None
    assert derived_tflops(name, chip) == pytest.approx(known.fp16_tflops, rel=0.02)


def test_a_known_model_is_not_derived():
    chip = Chip(cores=1, max_sm_clock_mhz=1, compute_capability=(9, 0))
    assert peak_of("NVIDIA H100 80GB HBM3", chip) == Peak(
        tflops=989.4, model="H100", is_derived=False
    )


def test_the_settings_win_over_the_table():
    own = GpuModel("NVIDIA H100 80GB HBM3", 900.0, 80 * 2**30)
    assert peak_of("NVIDIA H100 80GB HBM3", None, [own]).tflops == 900.0


def test_an_unknown_model_is_derived_and_marked():
    chip = Chip(cores=20000, max_sm_clock_mhz=2000, compute_capability=(9, 0))
    assert peak_of("NVIDIA X900", chip) == Peak(tflops=1280.0, model="X900", is_derived=True)


def test_a_chip_of_a_later_generation_counts_as_the_newest_known():
    chips = [
        Chip(cores=20000, max_sm_clock_mhz=2000, compute_capability=capability)
        for capability in ((12, 0), (13, 1))
    ]
    first, later = (derived_tflops("NVIDIA X", chip) for chip in chips)
    assert first == later == 320.0


def test_a_model_of_which_nothing_is_told_has_no_peak():
    assert peak_of("NVIDIA X900", None) == Peak(tflops=0.0, model="X900", is_derived=False)


def test_a_chip_older_than_all_known_has_no_peak():
    chip = Chip(cores=2000, max_sm_clock_mhz=1000, compute_capability=(5, 2))
    assert peak_of("NVIDIA X100", chip) == Peak(tflops=0.0, model="X100", is_derived=False)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA H200", "H200"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("Tesla V100-SXM2-32GB", "V100"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
    ],
)
def test_short_names_are_those_that_users_write(name, short):
    known = find_gpu_model(name)
    assert known is not None
    assert short_name(known) == short


@pytest.mark.parametrize("known", GPU_MODELS, ids=lambda known: known.name)
def test_the_short_name_of_a_model_is_found_in_the_table_again(known):
    found = find_gpu_model(short_name(known))
    assert found is not None
    assert found.fp16_tflops == known.fp16_tflops
