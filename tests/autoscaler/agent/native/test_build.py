"""The limiter is built once for each content, and a compiler's words come through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.agent.native.build import (
    ARCHITECTURES,
    CACHES,
    BuildError,
    Product,
    built,
    digest_of,
    installer,
    limiter,
    main,
    products,
)
from tests.autoscaler.agent.native.built import BUILT, ROOT
from tests.autoscaler.agent.native.elf import Library

FOLDER = ROOT / "build" / "limiter"
LINKING = ("-static", "-s")


@pytest.fixture(autouse=True)
def shared_cache(monkeypatch):
    for name in CACHES:
        monkeypatch.setenv(name, str(FOLDER / "zig-cache"))


def library_of(text: str, folder: Path) -> Product:
    source = folder / "source.c"
    source.write_text(text)
    flags = ("--target=x86_64-linux-gnu.2.17", "-O2", "-shared", "-fPIC")
    return Product(path=folder / "library.so", sources=(source,), flags=flags)


def test_every_architecture_has_a_library_and_an_installer():
    names = {product.path.name for product in products(FOLDER)}
    wanted = {f"libtensorfusion-limiter-{name}.so" for name in ARCHITECTURES}
    assert wanted | {f"tensorfusion-install-{name}" for name in ARCHITECTURES} == names


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_library_is_for_its_architecture(architecture):
    assert Library(built(limiter(architecture, FOLDER))).machine == architecture


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_installer_is_compiled_for_its_architecture(architecture):
    """Without linking it, for which a whole C library is built; the one of this machine is run."""
    whole = installer(architecture, FOLDER)
    flags = [flag for flag in whole.flags if flag not in LINKING]
    path = BUILT / f"install-{architecture}.o"
    compiled = replace(whole, path=path, flags=(*flags, "-c"))
    assert Library(built(compiled)).machine == architecture


def test_a_second_build_of_the_same_changes_nothing(tmp_path):
    product = library_of("int answer(void) { return 0; }", tmp_path)
    first = built(product).stat().st_mtime_ns
    assert built(product).stat().st_mtime_ns == first


def test_another_source_is_built_again(tmp_path):
    digest = digest_of(library_of("int answer(void) { return 0; }", tmp_path))
    assert digest_of(library_of("int answer(void) { return 1; }", tmp_path)) != digest


def test_what_the_compiler_says_is_told_and_nothing_is_left(tmp_path):
    product = library_of("int answer(void) { return nothing; }", tmp_path)
    with pytest.raises(BuildError, match="cannot be built") as raised:
        built(product)
    assert "undeclared identifier" in str(raised.value)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["source.c"]


def test_a_folder_that_cannot_be_made_is_an_error_without_a_trace(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["--into", str(tmp_path / "file" / "folder")]) == 1
    assert "Not a directory" in capsys.readouterr().err
