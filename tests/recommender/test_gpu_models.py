import subprocess
import sys

import pytest

from recommender.gpu_models import GPU_MODELS, GpuModel, find_gpu_model, suggest_gpu_models

GIB = 2**30


@pytest.mark.parametrize(
    ("name", "full_name"),
    [
        ("A100", "NVIDIA A100-SXM4-80GB"),
        ("a100", "NVIDIA A100-SXM4-80GB"),
        ("NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM4-80GB"),
        ("A100_SXM_80G", "NVIDIA A100-SXM4-80GB"),
        ("NVIDIA A100-PCIE-40GB", "NVIDIA A100-PCIE-40GB"),
        ("H100", "NVIDIA H100 80GB HBM3"),
        ("H100 NVL", "NVIDIA H100 NVL"),
        ("L4", "NVIDIA L4"),
        ("L40s", "NVIDIA L40S"),
        ("l40", "NVIDIA L40"),
        ("Tesla T4", "Tesla T4"),
        ("NVIDIA-GeForce-RTX-4090", "NVIDIA GeForce RTX 4090"),
        ("rtx 4090", "NVIDIA GeForce RTX 4090"),
        ("MI300X", "AMD Instinct MI300X"),
        ("910B4", "Ascend 910B4"),
    ],
)
def test_a_model_is_found_by_full_name_or_alias_whatever_the_case(name, full_name):
    model = find_gpu_model(name)
    assert model is not None
    assert model.name == full_name


@pytest.mark.parametrize("name", ["", " ", "NVIDIA", "A1000", "banana", "NVIDIA A100 MIG 1g.10gb"])
def test_an_unknown_model_is_none(name):
    assert find_gpu_model(name) is None


@pytest.mark.parametrize(
    ("name", "fp16_tflops", "vram_bytes"),
    [
        ("H100 PCIe", 756.5, 80 * GIB),
        ("H100 NVL", 835.0, 94 * GIB),
        ("H100", 989.4, 80 * GIB),
        ("RTX A6000", 154.8, 48 * GIB),
        ("L40S", 362.05, 48 * GIB),
        ("RTX 5090", 209.5, 32 * GIB),
        ("H200", 989.4, 143771 * 2**20),
    ],
)
def test_peaks_are_dense_fp16_on_tensor_cores(name, fp16_tflops, vram_bytes):
    model = find_gpu_model(name)
    assert model is not None
    assert (model.fp16_tflops, model.vram_bytes) == (fp16_tflops, vram_bytes)


def test_every_name_and_alias_leads_to_its_own_model():
    expected = {spelling: m.name for m in GPU_MODELS for spelling in (m.name, *m.aliases)}
    found = {spelling: find_gpu_model(spelling) for spelling in expected}
    assert {spelling: m and m.name for spelling, m in found.items()} == expected


def test_an_override_wins_over_the_table_and_may_add_a_model():
    mine = GpuModel("NVIDIA H100 80GB HBM3", 800.0, 79 * GIB, ("H100",), "override")
    new = GpuModel("Model X", 1.5, GIB)
    assert find_gpu_model("h100", (new, mine)) is mine
    assert find_gpu_model("model-x", (new, mine)) is new
    assert find_gpu_model("model-x") is None


def test_similar_names_are_suggested():
    assert suggest_gpu_models("H10O")[0] == "H100"
    assert "NVIDIA L40S" in suggest_gpu_models("L40SS")
    assert suggest_gpu_models("banana") == []
    assert suggest_gpu_models("modelY", (GpuModel("Model X", 1.5, GIB),)) == ["Model X"]


def test_the_table_loads_with_the_standard_library_alone():
    program = (
        "import sys; import recommender.gpu_models; "
        "print(sorted({'numpy', 'pandas', 'scipy', 'cronsim', 'yaml'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"
