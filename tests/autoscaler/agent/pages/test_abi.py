import ctypes
import json
import subprocess

import pytest

from autoscaler.agent.pages import abi
from tests.autoscaler.agent.native.built import built_program

STRUCTS = {
    "tf_ctl_gpu": abi.CtlGPU,
    "tf_ctl": abi.Ctl,
    "tf_use_gpu": abi.UseGPU,
    "tf_use_process": abi.UseProcess,
    "tf_use": abi.Use,
}
MACROS = {
    "TF_ABI_VERSION": abi.ABI_VERSION,
    "TF_CTL_MAGIC": abi.CTL_MAGIC,
    "TF_USE_MAGIC": abi.USE_MAGIC,
    "TF_MOST_GPUS": abi.MOST_GPUS,
    "TF_MOST_PROCESSES": abi.MOST_PROCESSES,
    "TF_UUID_BYTES": abi.UUID_BYTES,
    "TF_ONE_Q32": abi.ONE_Q32,
    "TF_ONE_Q16": abi.ONE_Q16,
    "TF_CTL_BYTES": abi.CTL_BYTES,
    "TF_USE_BYTES": abi.USE_BYTES,
    "TF_CTL_ENABLED": abi.CTL_ENABLED,
    "TF_CTL_NO_CONTEXT": abi.CTL_NO_CONTEXT,
    "TF_GPU_NO_TRIM": abi.GPU_NO_TRIM,
}
TEXTS = {"TF_CTL_FILE": abi.CTL_FILE, "TF_USE_FILE": abi.USE_FILE}


def _rows():
    for struct, mirror in STRUCTS.items():
        yield f"sizeof {struct}", f"sizeof(struct {struct})", ctypes.sizeof(mirror)
        for name, *_ in mirror._fields_:
            field = getattr(mirror, name)
            member = f"((struct {struct} *)0)->{name}"
            yield f"{struct}.{name}", f"offsetof(struct {struct}, {name})", field.offset
            yield f"size of {struct}.{name}", f"sizeof({member})", field.size
    for name, value in MACROS.items():
        yield name, name, value


@pytest.fixture(scope="module")
def probed(tmp_path_factory):
    source = tmp_path_factory.mktemp("probe") / "abi_probe.c"
    numbers = "".join(
        f'  printf("\\"{name}\\": %llu,\\n", (unsigned long long){expression});\n'
        for name, expression, _ in _rows()
    )
    texts = "".join(f'  printf("\\"{name}\\": \\"%s\\",\\n", {name});\n' for name in TEXTS)
    source.write_text(
        '#include <stdio.h>\n#include "abi.h"\nint main(void) {\n  puts("{");\n'
        f'{numbers}{texts}  puts("\\"end\\": 0}}");\n  return 0;\n}}\n'
    )
    run = subprocess.run([built_program([source])], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def test_all_offsets_sizes_and_numbers_are_those_of_the_header(probed):
    expected = {name: value for name, _, value in _rows()}

    assert expected == {name: probed[name] for name in expected}


def test_the_files_are_named_as_in_the_header(probed):
    assert {name: probed[name] for name in TEXTS} == TEXTS


@pytest.mark.parametrize("mirror", STRUCTS.values(), ids=STRUCTS)
def test_no_field_of_the_header_is_left_out(mirror):
    fields = [getattr(mirror, name) for name, *_ in mirror._fields_]

    assert ctypes.sizeof(mirror) == sum(field.size for field in fields)
