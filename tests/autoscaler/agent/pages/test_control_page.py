import mmap
import os
import threading

import pytest

from autoscaler.agent.pages.abi import ONE_Q32
from autoscaler.agent.pages.control_page import open_control_page
from autoscaler.agent.pages.errors import PageError, PageTamperedError
from tests.autoscaler.agent.pages.pages import ctl_of, terms


@pytest.fixture
def page(tmp_path):
    opened = open_control_page(tmp_path, terms(), 1)
    yield opened
    opened.close()


def _opened(folder, wanted, now_ns=1):
    opened = open_control_page(folder, wanted, now_ns)
    opened.close()
    return opened


def test_there_is_no_page_before_its_folder(tmp_path):
    assert open_control_page(tmp_path / "later", terms(), 1) is None


def test_a_new_page_is_whole_and_readable_by_everybody(tmp_path, page):
    made = ctl_of(tmp_path)

    assert (made.generation, made.heartbeat_ns, made.gpu_count) == (1, 1, 2)
    assert made.gpu[0].share_q32 == ONE_Q32 // 2
    assert (tmp_path / "ctl").stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["ctl"]


def test_a_change_reaches_a_program_that_has_the_page_mapped(tmp_path, page):
    with (tmp_path / "ctl").open("rb") as file, mmap.mmap(file.fileno(), 0, prot=1) as mapped:
        before = mapped[:]

        page.write(terms((0.75, 0.25)), 2)

        assert before != mapped[:] == (tmp_path / "ctl").read_bytes()
    assert ctl_of(tmp_path).gpu[0].share_q32 == ONE_Q32 * 3 // 4


def test_the_generation_counts_changes_and_the_heartbeat_looks(tmp_path, page):
    page.write(terms(), 5)
    still = ctl_of(tmp_path)
    page.write(terms((0.1, 0.1)), 6)
    changed = ctl_of(tmp_path)

    assert (still.generation, still.heartbeat_ns) == (1, 5)
    assert (changed.generation, changed.heartbeat_ns) == (2, 6)


def test_a_page_is_adopted_as_it_is(tmp_path, page):
    page.write(terms((0.3, 0.4)), 2)
    before, number = (tmp_path / "ctl").read_bytes(), (tmp_path / "ctl").stat().st_ino

    adopted = open_control_page(tmp_path, terms(), 9)

    assert before == (tmp_path / "ctl").read_bytes()
    adopted.write(terms((0.3, 0.4)), 10)
    adopted.close()
    assert (ctl_of(tmp_path).generation, (tmp_path / "ctl").stat().st_ino) == (2, number)


def test_dead_slots_stay_over_a_restart(tmp_path, page):
    page.declare_dead({3: 7})
    page.write(terms(), 2)
    page.declare_dead({255: 1})
    adopted = open_control_page(tmp_path, terms(), 3)

    adopted.write(terms(), 3)
    adopted.close()
    page.write(terms(), 4)

    dead = ctl_of(tmp_path).dead_slot
    assert {i: dead[i] for i in range(256) if dead[i]} == {3: 7, 255: 1}


def test_of_two_agents_that_make_a_page_one_does_and_both_have_it(tmp_path):
    begin, made = threading.Barrier(8), []

    def make():
        begin.wait()
        made.append(open_control_page(tmp_path, terms(), 1))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [page.is_there for page in made] == [True] * 8
    for page in made:
        page.close()


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (terms(pod_uid="another"), "pod"),
        (terms(uuids=("GPU-0b", "GPU-0a")), "GPUs"),
        (terms((0.5,), uuids=("GPU-0a",)), "GPUs"),
    ],
    ids=["pod", "order", "fewer GPUs"],
)
def test_the_page_of_another_worker_is_refused_and_left_alone(tmp_path, page, other, what):
    before = (tmp_path / "ctl").read_bytes()

    with pytest.raises(PageError, match=f"ctl: {what} .* is expected; a page in use"):
        open_control_page(tmp_path, other, 2)

    assert before == (tmp_path / "ctl").read_bytes()


@pytest.mark.parametrize("at", [0, 8, 12], ids=["magic", "version", "size"])
def test_a_page_of_another_version_is_refused_and_left_alone(tmp_path, page, at):
    with (tmp_path / "ctl").open("r+b") as file:
        file.seek(at)
        file.write(b"\x7f")
    before = (tmp_path / "ctl").read_bytes()

    with pytest.raises(PageError, match="a page in use is not replaced"):
        open_control_page(tmp_path, terms(), 2)

    assert before == (tmp_path / "ctl").read_bytes()


def test_a_link_is_neither_followed_nor_replaced(tmp_path):
    target, folder = tmp_path / "shadow", tmp_path / "ctl"
    folder.mkdir()
    target.write_bytes(b"secret")
    (folder / "ctl").symlink_to(target)

    with pytest.raises(PageTamperedError, match="ctl"):
        open_control_page(folder, terms(), 1)

    assert target.read_bytes() == b"secret"


def test_a_linked_folder_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with pytest.raises(PageError, match="link"):
        open_control_page(tmp_path / "link", terms(), 1)


def test_what_somebody_else_changed_is_told_and_put_right(tmp_path, page):
    page.write(terms(), 2)
    with (tmp_path / "ctl").open("r+b") as file:
        file.seek(128 + 64)
        file.write((ONE_Q32).to_bytes(8, "little"))

    was_changed = [page.write(terms(), 3), page.write(terms(), 4)]

    assert was_changed == [True, False]
    assert ctl_of(tmp_path).gpu[0].share_q32 == ONE_Q32 // 2


def test_a_page_that_was_cut_does_not_end_the_agent_and_is_put_right(tmp_path, page):
    page.write(terms(), 2)
    wanted = (tmp_path / "ctl").read_bytes()
    os.truncate(tmp_path / "ctl", 0)

    assert page.write(terms(), 2)

    assert _without_generation(wanted) == _without_generation((tmp_path / "ctl").read_bytes())


def _without_generation(content):
    return content[:16] + content[24:]


def test_a_page_under_a_volume_that_was_mounted_over_it_is_noticed(tmp_path, page):
    (tmp_path / "ctl").rename(tmp_path / "hidden")

    assert not page.is_there
