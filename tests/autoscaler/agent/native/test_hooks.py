"""Every way to the driver leads to a hook, and every hook passes on what it was given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.agent.pages.abi import ONE_Q32
from tests.autoscaler.agent.native.hooked_process import UUIDS, HookedProcess
from tests.autoscaler.agent.native.pod_pages import PodFolder, control_page
from tests.autoscaler.agent.native.symbol_table import Hook, hooks

REFUSED = 999
"""A result that no driver gives: nothing is done with what a call was to return."""
HOOKS = [hook for hook in hooks() if hook.base != "cuGetProcAddress"]
NEWEST = 99990


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> Iterator[HookedProcess]:
    with HookedProcess(tmp_path_factory.mktemp("none") / "absent") as process:
        yield process


@pytest.fixture(scope="module")
def worker(tmp_path_factory) -> Iterator[HookedProcess]:
    pod = PodFolder(tmp_path_factory.mktemp("pod"))
    ctl = control_page(UUIDS[:1])
    ctl.gpu[0].share_q32 = ONE_Q32 // 2
    pod.write_ctl(ctl)
    with HookedProcess(pod.root) as process:
        yield process


def words_for(hook: Hook, buffers: list[int]) -> list[int]:
    """Return an argument of its own for each parameter; pointers point to memory."""
    return [
        buffers[index] if hook.is_pointer(index) else (0 if kind == "CUdevice" else 0x21 + index)
        for index, kind in enumerate(hook.types)
    ]


def passed_on(process: HookedProcess, hook: Hook) -> tuple[list[int], list[int], int, int]:
    words = words_for(hook, process.ask("buffers"))
    before = process.calls(hook.exported)
    process.ask("answer", hook.exported, REFUSED)
    result = process.call(hook.exported, *words)
    process.ask("answer", hook.exported, 0)
    seen = process.ask("arguments", hook.exported)[: len(words)]
    masks = [(1 << 8 * hook.width_bytes(index)) - 1 for index in range(len(words))]
    seen = [word & mask for word, mask in zip(seen, masks, strict=True)]
    return words, seen, result, process.calls(hook.exported) - before


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.exported)
def test_a_hook_passes_its_arguments_and_the_result_where_there_is_no_worker(stranger, hook):
    words, seen, result, calls = passed_on(stranger, hook)
    assert (words, REFUSED, 1) == (seen, result, calls)


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.exported)
def test_a_hook_passes_its_arguments_and_the_result_in_a_worker(worker, hook):
    words, seen, result, calls = passed_on(worker, hook)
    assert (words, REFUSED, 1) == (seen, result, calls)


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.exported)
def test_the_driver_s_own_lookup_gives_the_same_hook_as_dlsym(stranger, hook, old):
    flags = 2 if hook.is_thread_form else 0
    found = stranger.ask("address_by_version", hook.base, hook.first_version, flags, {"old": old})
    by_name = stranger.ask("address_by_name", hook.exported)
    same_signature = [
        other.exported
        for other in HOOKS
        if (other.base, other.first_version, other.is_thread_form)
        == (hook.base, hook.first_version, hook.is_thread_form)
    ]
    assert found == by_name or len(same_signature) > 1


def test_a_version_between_two_gets_the_older_parameters(stranger):
    found = stranger.ask("address_by_version", "cuCtxCreate", 12000, 0, {"old": False})
    assert stranger.ask("address_by_name", "cuCtxCreate_v3") == found


def test_a_function_without_a_thread_form_is_hooked_under_either_flag(stranger):
    found = stranger.ask("address_by_version", "cuMemAlloc", 12000, 2, {"old": False})
    assert stranger.ask("address_by_name", "cuMemAlloc_v2") == found


def test_what_the_driver_does_not_have_stays_absent(stranger):
    assert stranger.ask("address_by_version", "cuMemAlloc", 2000, 0, {"old": False}) is None
    assert stranger.ask("address_by_version", "cuNothing", 12000, 0, {"old": False}) is None
    assert stranger.ask("address_by_name", "cuNothing") is None


def test_parameters_that_nobody_knows_yet_pass_and_are_counted(tmp_path: Path):
    pod = PodFolder(tmp_path / "pod")
    pod.write_ctl(control_page(UUIDS[:1]))
    with HookedProcess(pod.root) as process:
        process.ask("set", "stub_newest_version", 13000)
        known = process.ask("address_by_version", "cuLaunchKernel", 13000, 0, {"old": False})
        newer = process.ask("address_by_version", "cuLaunchKernel", NEWEST, 0, {"old": False})
        assert process.ask("address_by_name", "cuLaunchKernel") == known
        assert newer not in (None, known)
        assert process.ask("call_at", newer) == 0
        assert pod.read_use().unknown_symbols == 1


def test_the_lookup_finds_itself_hooked(stranger):
    found = stranger.ask("address_by_version", "cuGetProcAddress", 12000, 0, {"old": False})
    assert stranger.ask("address_by_name", "cuGetProcAddress_v2") == found
