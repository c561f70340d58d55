"""What a tenant puts where its page of use should be: the agent goes on, and so do neighbours."""

import contextlib
import os
import shutil
import socket
import stat

import pytest

from autoscaler.agent.accounting.finding import FindingKind
from autoscaler.agent.pages.abi import CTL_BYTES, USE_BYTES
from autoscaler.agent.running.kept_worker import TOLD_APART_NS
from tests.autoscaler.agent.attacks.scene import NS, Scene
from tests.autoscaler.agent.pages.pages import use_bytes, use_page

LOOK_S = 0.2
TEBIBYTE = 2**40


def remove(path):
    with contextlib.suppress(FileNotFoundError):
        (shutil.rmtree if stat.S_ISDIR(path.lstat().st_mode) else os.unlink)(path)


def cut(path, now_ns):
    os.truncate(path, 100)


def stretch(path, now_ns):
    os.truncate(path, TEBIBYTE)


def make_pipe(path, now_ns):
    remove(path)
    os.mkfifo(path)


def make_folder(path, now_ns):
    remove(path)
    path.mkdir()


def make_socket(path, now_ns):
    remove(path)
    folder = os.open(path.parent, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            # The address of a socket has room for 107 bytes only.
            made.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def link_to_a_file(path, now_ns):
    remove(path)
    path.symlink_to("/etc/passwd")


def link_to_nothing(path, now_ns):
    remove(path)
    path.symlink_to(path)


def link_to_the_control_page(path, now_ns):
    remove(path)
    path.symlink_to(path.parents[1] / "tf-ctl" / "ctl")


def replace(path, now_ns):
    remove(path)
    path.write_bytes(use_bytes(use_page()))


def write_noise(path, now_ns):
    path.write_bytes(b"\xff" * USE_BYTES)


SPOILS = [
    cut,
    stretch,
    make_pipe,
    make_folder,
    make_socket,
    link_to_a_file,
    link_to_nothing,
    link_to_the_control_page,
    replace,
    write_noise,
]


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path / "pods")


@pytest.mark.parametrize("spoil", SPOILS)
def test_it_is_found_at_once_and_a_neighbour_does_not_notice(scene, spoil):
    spoiler = scene.tenant(wanted=0.3)
    honest = scene.tenant(wanted=0.4, request=0.4)
    scene.run(6.0)
    before = scene.pods.ctl(spoiler.served)
    scene.begin_attack()
    spoiler.spoil = spoil
    scene.run(6.0)

    assert scene.found_after_s(spoiler, FindingKind.TAMPERED) <= LOOK_S
    assert scene.kinds(honest) == set()
    assert scene.share(honest) == 0.5
    assert scene.shown(honest).compute_share == pytest.approx(0.4, abs=0.01)
    # Its own limits stay, and stay the agent's to change.
    after = scene.pods.ctl(spoiler.served)
    assert after.gpu[0].memory_limit_bytes == before.gpu[0].memory_limit_bytes
    assert after.heartbeat_ns == scene.now_ns


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_page_that_is_put_right_is_read_again(scene, spoil):
    spoiler = scene.tenant(wanted=0.3, spoil=None)
    scene.run(1.0)
    spoiler.spoil = spoil
    scene.run(1.0)
    file = spoiler.served.folders.use / "use"
    remove(file)
    file.write_bytes(use_bytes(scene.page(spoiler)))
    spoiler.spoil = None
    scene.run(1.0)
    scene.begin_attack()
    scene.run(6.0)

    assert scene.kinds(spoiler) == set()
    assert scene.shown(spoiler).compute_share == pytest.approx(0.3, abs=0.01)


def test_a_link_leads_the_agent_nowhere(scene, tmp_path):
    spoiler = scene.tenant(wanted=0.3)
    secret = tmp_path / "secret"
    secret.write_bytes(use_bytes(use_page()))
    scene.run(1.0)

    def link(path, now_ns):
        remove(path)
        path.symlink_to(secret)

    spoiler.spoil = link
    scene.run(1.0)

    assert secret.read_bytes() == use_bytes(use_page())
    [kept] = scene.enforcement.workers
    assert kept.reading is None


def test_an_error_that_is_another_one_at_each_look_does_not_fill_the_log(scene, caplog):
    def stretch_more(path, now_ns):
        remove(path)
        path.touch()
        os.truncate(path, now_ns)

    spoiler = scene.tenant(wanted=0.3)
    scene.run(1.0)
    caplog.clear()
    spoiler.spoil = stretch_more
    scene.run(60.0)

    assert 1 <= len(caplog.records) <= 60 * NS // TOLD_APART_NS + 1


def test_files_beside_the_page_are_not_looked_at(scene):
    spoiler = scene.tenant(wanted=0.3)
    for number in range(200):
        (spoiler.served.folders.use / f"use.{number}").write_bytes(b"x")
    scene.run(6.0)

    assert scene.kinds(spoiler) == set()
    assert scene.shown(spoiler).compute_share == pytest.approx(0.3, abs=0.01)


def test_the_pages_can_be_written_by_whom_they_are_for(scene):
    tenant = scene.tenant(wanted=0.3)
    scene.run(1.0)
    control = tenant.served.folders.control / "ctl"

    assert (stat.S_IMODE(control.stat().st_mode), control.stat().st_size) == (0o644, CTL_BYTES)
    assert [each.name for each in control.parent.iterdir()] == ["ctl"]
