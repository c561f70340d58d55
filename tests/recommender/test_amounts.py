from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.amounts import ResourceAmounts, percent_of_tflops, tflops_of_percent
from recommender.errors import ContractError, Problem

amounts = st.decimals(0, 10**9, places=3)
percents = st.decimals(0, 100, places=3)
peaks = st.decimals(1, 5000, places=2)


def test_a_mapping_of_the_api_becomes_exact_amounts():
    stated = {"tflops": "12500m", "vram": "16Gi"}
    assert ResourceAmounts.from_mapping(stated, "resources.requests") == (
        ResourceAmounts(tflops=Decimal("12.5"), vram_bytes=Decimal(16 * 2**30)),
        (),
    )


def test_numbers_without_quotes_are_read_as_yaml_gives_them():
    stated = {"compute": 0.1, "vram": 1024}
    assert ResourceAmounts.from_mapping(stated, "limits") == (
        ResourceAmounts(compute_percent=Decimal("0.1"), vram_bytes=Decimal(1024)),
        (),
    )


def test_what_is_not_stated_or_null_is_none_and_never_zero():
    assert ResourceAmounts.from_mapping({}, "limits") == (ResourceAmounts(), ())
    assert ResourceAmounts.from_mapping({"tflops": None}, "limits") == (ResourceAmounts(), ())
    zero, _ = ResourceAmounts.from_mapping({"tflops": "0"}, "limits")
    assert zero == ResourceAmounts(tflops=Decimal(0))


def test_all_problems_are_reported_at_once_each_with_its_path_and_the_rest_is_kept():
    stated = {"tflops": "-5", "compute": "150", "vram": "16 GB", "memory": "1Gi", "vRAM": "1Gi"}
    kept, problems = ResourceAmounts.from_mapping(stated, "spec.limits")
    assert kept == ResourceAmounts()
    assert [(problem.path, problem.message.split(";")[-1]) for problem in problems[:2]] == [
        ("spec.limits.tflops", " allowed: 0 or more"),
        ("spec.limits.compute", " allowed: 0 to 100 (percent of one GPU)"),
    ]
    assert [problem.path for problem in problems[2:]] == [
        "spec.limits.vram",
        "spec.limits.memory",
        "spec.limits.vRAM",
    ]
    assert "'16 GB'" in problems[2].message
    assert problems[3].message == "unknown key; allowed keys: tflops, compute, vram"


def test_a_good_value_survives_beside_a_bad_one():
    kept, problems = ResourceAmounts.from_mapping({"tflops": "x", "vram": "1Gi"}, "requests")
    assert kept == ResourceAmounts(vram_bytes=Decimal(2**30))
    assert [problem.path for problem in problems] == ["requests.tflops"]


def test_tflops_and_percent_exclude_each_other():
    kept, problems = ResourceAmounts.from_mapping(
        {"tflops": "10", "compute": "50", "vram": "1Gi"}, "requests"
    )
    assert kept == ResourceAmounts(vram_bytes=Decimal(2**30))
    assert problems == (
        Problem("requests", "tflops and compute are mutually exclusive: state one of the two"),
    )


@pytest.mark.parametrize("mapping", [None, [], "12", 12])
def test_what_is_no_mapping_is_a_problem_and_no_error(mapping):
    kept, (problem,) = ResourceAmounts.from_mapping(mapping, "spec.resources.requests")
    assert kept == ResourceAmounts()
    assert problem.path == "spec.resources.requests"
    assert problem.message.startswith("must be a mapping with the keys tflops, compute, vram")


@pytest.mark.parametrize("percent", ["0", "100", "33.3"])
def test_percent_may_be_0_to_100_inclusive(percent):
    kept, problems = ResourceAmounts.from_mapping({"compute": percent}, "limits")
    assert (kept.compute_percent, problems) == (Decimal(percent), ())


def test_amounts_are_written_in_canonical_form_with_the_keys_of_the_api():
    stated = ResourceAmounts(tflops=Decimal("12.5"), vram_bytes=Decimal(16 * 2**30))
    assert stated.to_mapping() == {"tflops": "12500m", "vram": "16Gi"}
    assert ResourceAmounts(compute_percent=Decimal(50)).to_mapping() == {"compute": "50"}


def test_base_units_are_keyed_by_resource_name():
    stated = ResourceAmounts(compute_percent=Decimal(50), vram_bytes=Decimal(2**30))
    assert stated.base_units() == {"tflops_pct": 50.0, "vram_bytes": 1073741824.0}
    assert ResourceAmounts(tflops=Decimal("0.5")).base_units() == {"tflops": 0.5}


@given(st.none() | amounts, st.none() | st.integers(0, 2**50).map(Decimal))
def test_reading_what_was_written_gives_the_same_amounts(tflops, vram_bytes):
    stated = ResourceAmounts(tflops=tflops, vram_bytes=vram_bytes)
    assert ResourceAmounts.from_mapping(stated.to_mapping(), "limits") == (stated, ())


def test_percent_becomes_tflops_of_a_card_and_back():
    half = ResourceAmounts(compute_percent=Decimal(50), vram_bytes=Decimal(1))
    as_tflops = ResourceAmounts(tflops=Decimal(156), vram_bytes=Decimal(1))
    assert half.in_tflops(Decimal(312)) == as_tflops
    assert as_tflops.in_percent(Decimal(312)) == half
    assert as_tflops.in_tflops(Decimal(312)) is as_tflops
    assert half.in_percent(Decimal(312)) is half


@given(percents, peaks)
def test_converting_there_and_back_loses_nothing_that_a_quantity_could_state(percent, peak):
    there_and_back = percent_of_tflops(tflops_of_percent(percent, peak), peak)
    assert there_and_back.quantize(Decimal("1e-9")) == percent


@pytest.mark.parametrize("peak", ["0", "-1", "NaN", "Infinity"])
def test_a_card_without_a_peak_converts_nothing(peak):
    with pytest.raises(ContractError):
        tflops_of_percent(Decimal(50), Decimal(peak))
    with pytest.raises(ContractError):
        percent_of_tflops(Decimal(50), Decimal(peak))
