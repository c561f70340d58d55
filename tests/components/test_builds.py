"""Building into the cache: once, whole or not at all, and anew when something changed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.components.builds import BuildError, build, built_folder, cache_folder
from tests.components.fake_go import builds_of, fake_component, fake_go
from tests.components.golang import Go


@pytest.fixture
def component(tmp_path):
    return fake_component(tmp_path / "module")


def unfinished(cache):
    return [path.name for path in cache.glob("*.building")]


def test_a_build_makes_every_program(tmp_path, component):
    folder = build(component, fake_go(tmp_path / "go"), tmp_path / "cache")

    assert sorted(path.name for path in folder.iterdir()) == ["serverctl", "serverd"]
    assert unfinished(tmp_path / "cache") == []


def test_a_second_run_builds_nothing(tmp_path, component):
    go = fake_go(tmp_path / "go")
    first = build(component, go, tmp_path / "cache")
    second = build(component, go, tmp_path / "cache")

    assert second == first
    assert len(builds_of(go)) == len(component.programs)


def test_every_build_is_told_to_keep_to_the_module_files(tmp_path, component):
    go = fake_go(tmp_path / "go")
    stamped = replace(component, tags=("small",), stamps={"example.test/version": "3.1"})
    build(stamped, go, tmp_path / "cache")

    for asked in builds_of(go):
        assert asked.startswith(
            "build -mod=readonly -trimpath -buildvcs=false -tags=small "
            "-ldflags=-s -w -X example.test/version=3.1 -o "
        )


@pytest.mark.parametrize(
    "change", ["go.mod", "go.sum", "main.go", "tags", "stamps", "programs", "go"]
)
def test_a_change_of_anything_that_goes_in_is_another_folder(tmp_path, component, change):
    go = Go(program=tmp_path / "go", description="go1.26.8 linux/amd64")
    before = built_folder(component, go, tmp_path)
    if change in {"go.mod", "go.sum", "main.go"}:
        with (component.module / change).open("a") as file:
            file.write("\n")
    elif change == "go":
        go = replace(go, description="go1.27.3 linux/amd64")
    else:
        changed = {
            "tags": ("other",),
            "stamps": {"example.test/version": "2"},
            "programs": {"serverd": "example.test/other"},
        }
        component = replace(component, **{change: changed[change]})

    assert built_folder(component, go, tmp_path) != before


def test_the_place_of_the_go_program_does_not_matter(tmp_path, component):
    here, there = (Go(program=tmp_path / name, description="go1.26.8") for name in "ab")

    assert built_folder(component, here, tmp_path) == built_folder(component, there, tmp_path)


def test_a_failed_build_leaves_nothing_and_quotes_go(tmp_path, component):
    go = fake_go(tmp_path / "go", on_build='echo half > "$out"; echo "no such module" >&2; exit 3')
    with pytest.raises(BuildError, match="serverd ended with exit code 3:\nno such module"):
        build(component, go, tmp_path / "cache")

    assert not built_folder(component, go, tmp_path / "cache").exists()
    assert unfinished(tmp_path / "cache") == []


def test_an_interrupted_build_leaves_nothing_and_ends_go(tmp_path, component):
    go = fake_go(tmp_path / "go", on_build='echo half > "$out"; kill -INT $PPID; exec sleep 600')
    with pytest.raises(KeyboardInterrupt):
        build(component, go, tmp_path / "cache")

    assert not built_folder(component, go, tmp_path / "cache").exists()
    assert unfinished(tmp_path / "cache") == []


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path, component):
    go = fake_go(tmp_path / "go")
    cache = tmp_path / "cache"
    left_over = cache / f"{built_folder(component, go, cache).name}.abc.building"
    left_over.mkdir(parents=True)
    (left_over / "serverd").write_text("half")

    folder = build(component, go, cache)

    assert (folder / "serverd").read_text() == "program\n"
    assert unfinished(cache) == []


def test_of_two_builds_at_once_one_waits_for_the_other(tmp_path, component):
    go = fake_go(tmp_path / "go", on_build='sleep 0.2; echo program > "$out"')
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(lambda _: build(component, go, tmp_path / "cache"), range(2)))

    assert folders[0] == folders[1]
    assert len(builds_of(go)) == len(component.programs)


def test_the_cache_lies_outside_the_tree(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "tensor-fusion-autoscaler" / "components"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home/.cache/tensor-fusion-autoscaler/components"
