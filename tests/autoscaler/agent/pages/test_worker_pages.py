from pathlib import Path

import pytest

from autoscaler.agent.pages.abi import ONE_Q32, Ctl
from autoscaler.agent.pages.errors import PageError
from autoscaler.agent.pages.folders import folders_of_pod, folders_within, make_folders
from autoscaler.agent.pages.worker_pages import CHECK_EVERY_NS, Applied, WorkerPages
from tests.autoscaler.agent.pages.pages import POD_UID, ctl_of, terms, use_page, write_use

PODS = Path("/var/lib/kubelet/pods")


@pytest.fixture
def folders(tmp_path):
    return folders_within(tmp_path)


@pytest.fixture
def pages(folders):
    opened = WorkerPages(folders, 2)
    yield opened
    opened.close()


def test_pages_of_a_pod_are_volumes_below_the_kubelet_s_folder():
    folders = folders_of_pod(POD_UID, PODS)

    volumes = Path(f"{PODS}/{POD_UID}/volumes/kubernetes.io~empty-dir")
    assert (folders.control, folders.use) == (volumes / "tf-ctl", volumes / "tf-use")


@pytest.mark.parametrize("uid", ["", "../x", "a/b", "a\0", "x" * 64])
def test_a_uid_that_leads_elsewhere_is_refused(uid):
    with pytest.raises(PageError, match=r"pod UID: .* is not valid; allowed: letters, digits"):
        folders_of_pod(uid, PODS)


def test_on_a_plain_host_anybody_may_make_the_page_of_use_only(folders):
    make_folders(folders)
    make_folders(folders)

    modes = [folder.stat().st_mode & 0o7777 for folder in (folders.control, folders.use)]
    assert modes == [0o755, 0o1777]


def test_a_file_in_the_place_of_a_folder_is_told(folders):
    folders.control.write_text("")

    with pytest.raises(PageError, match="ctl: is no folder"):
        make_folders(folders)


def test_terms_wait_for_the_volume(folders, pages):
    waiting = pages.apply(terms(), 1)
    folders.control.mkdir()

    assert [waiting, pages.apply(terms(), 2)] == [Applied.WAITING, Applied.IN_FORCE]
    assert ctl_of(folders.control).generation == 1


def test_a_volume_that_is_mounted_late_gets_a_page_of_its_own(folders, pages):
    folders.control.mkdir()
    pages.apply(terms(), 1)
    folders.control.rename(folders.control.with_name("hidden"))
    folders.control.mkdir()

    assert pages.apply(terms((0.3, 0.3)), 2, is_whole=False) is Applied.IN_FORCE

    assert round(ctl_of(folders.control).gpu[0].share_q32 / 2**32, 6) == 0.3


def test_a_page_that_is_hidden_is_made_anew_within_a_second_though_nothing_changes(folders, pages):
    folders.control.mkdir()
    pages.apply(terms(), 1)
    folders.control.rename(folders.control.with_name("hidden"))
    folders.control.mkdir()

    assert pages.apply(terms(), 1 + CHECK_EVERY_NS) is Applied.IN_FORCE

    assert ctl_of(folders.control).generation == 1


def test_a_change_by_somebody_else_is_told_and_undone(folders, pages):
    folders.control.mkdir()
    pages.apply(terms(), 1)
    wanted = ctl_of(folders.control).gpu[0].share_q32
    with (folders.control / "ctl").open("r+b") as file:
        file.seek(128 + 64)
        file.write(b"\xff")

    assert [pages.apply(terms(), 2), pages.apply(terms(), 3)] == [
        Applied.RESTORED,
        Applied.IN_FORCE,
    ]
    assert ctl_of(folders.control).gpu[0].share_q32 == wanted


def test_slots_that_are_declared_dead_are_on_the_page_with_the_next_terms(folders, pages):
    folders.control.mkdir()
    pages.apply(terms(), 1)
    pages.declare_dead({4: 2})
    pages.apply(terms(), 2)

    assert ctl_of(folders.control).dead_slot[4] == 2


def test_the_page_of_use_is_read_beside_a_missing_control_page(folders, pages):
    write_use(folders.use, use_page())

    assert len(pages.read(1).gpus) == 2


def _spoil(folders):
    with (folders.control / "ctl").open("r+b") as page:
        page.seek(Ctl.flags.offset)
        page.write(bytes(8))


def test_a_look_that_is_not_whole_leaves_a_page_with_these_terms_alone(folders, pages):
    folders.control.mkdir()
    pages.apply(terms(), 1)
    _spoil(folders)

    found = [pages.apply(terms(), 2, is_whole=False), pages.apply(terms(), 3)]

    assert found == [Applied.IN_FORCE, Applied.RESTORED]
    assert ctl_of(folders.control).heartbeat_ns == 3


def test_other_terms_are_in_force_at_once_whether_the_look_is_whole_or_not(folders, pages):
    folders.control.mkdir()
    pages.apply(terms((0.5, 0.5)), 1)
    _spoil(folders)

    found = pages.apply(terms((0.5, 0.25)), 2, is_whole=False)

    assert (found, ctl_of(folders.control).gpu[1].share_q32) == (Applied.RESTORED, ONE_Q32 // 4)


def test_slots_that_are_declared_dead_are_written_whether_the_look_is_whole_or_not(folders, pages):
    folders.control.mkdir()
    pages.apply(terms(), 1)
    pages.declare_dead({3: 7})

    pages.apply(terms(), 2, is_whole=False)

    assert ctl_of(folders.control).dead_slot[3] == 7
