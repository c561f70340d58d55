import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.pages.abi import USE_BYTES
from autoscaler.agent.pages.errors import PageTamperedError
from autoscaler.agent.pages.use_page import SPARE_SLOTS, WHOLE_EVERY_NS, UsePage, parse_use
from tests.autoscaler.agent.pages.pages import GIB, claim, use_bytes, use_page, write_use


@pytest.fixture
def opened(tmp_path):
    write_use(tmp_path, use_page())
    page = UsePage(tmp_path, 2)
    page.read(1)
    yield page
    page.close()


def test_there_is_nothing_to_read_before_a_process_made_the_page(tmp_path):
    assert UsePage(tmp_path, 1).read(1) is None
    assert UsePage(tmp_path / "later", 1).read(1) is None


def test_counters_are_read_for_the_gpus_of_the_worker(tmp_path):
    written = use_page()
    written.unknown_symbols = 3
    for gpu in range(3):
        for i, name in enumerate(("tat_ns", "charged_ns", "launches", "blocked_ns"), 1):
            setattr(written.gpu[gpu], name, 100 * gpu + i)
    write_use(tmp_path, written)
    page = UsePage(tmp_path, 2)

    reading = page.read(42)
    page.close()

    assert (reading.monotonic_ns, reading.unknown_symbols, len(reading.gpus)) == (42, 3, 2)
    second = reading.gpus[1]
    counters = (second.tat_ns, second.charged_ns, second.launches, second.blocked_ns)
    assert counters == (101, 102, 103, 104)


def test_memory_is_the_sum_over_the_slots_of_processes(tmp_path):
    written = use_page()
    claim(written, 0, pid=10, memory_bytes=(GIB, 1))
    claim(written, 255, pid=11, memory_bytes=(GIB, 2))
    written.process[7].memory_bytes[0] = GIB
    write_use(tmp_path, written)
    page = UsePage(tmp_path, 2)

    reading = page.read(1)
    page.close()

    assert [(each.slot, each.pid) for each in reading.processes] == [(0, 10), (255, 11)]
    assert [reading.memory_bytes(gpu) for gpu in (0, 1)] == [2 * GIB, 3]


def test_a_process_that_is_moving_in_does_not_count_yet():
    written = use_page()
    claim(written, 0, pid=10, memory_bytes=(GIB,)).ready_generation = 0

    reading = parse_use(use_bytes(written), 1, 1, "use")

    assert [(each.pid, each.is_counted) for each in reading.processes] == [(10, False)]
    assert reading.memory_bytes(0) == 0


def test_a_process_cannot_hide_behind_the_count_of_used_slots():
    written = use_page()
    written.slots_used = 0
    claim(written, 9, pid=10, memory_bytes=(GIB,))

    assert parse_use(use_bytes(written), 1, 1, "use").memory_bytes(0) == GIB


def test_a_process_that_hides_behind_that_count_later_is_seen_within_a_second(tmp_path, opened):
    written = use_page()
    claim(written, SPARE_SLOTS - 1, pid=10)
    claim(written, SPARE_SLOTS, pid=11)
    with (tmp_path / "use").open("r+b") as file:
        file.write(bytes(written))

    found = [opened.read(now_ns).processes for now_ns in (WHOLE_EVERY_NS, 1 + WHOLE_EVERY_NS)]

    assert [[each.pid for each in processes] for processes in found] == [[10], [10, 11]]


def test_processes_that_come_are_seen_at_the_next_look_however_many_there_are(tmp_path, opened):
    written = use_page()
    for slot in range(200):
        claim(written, slot, pid=10 + slot)
        written.slots_used = slot + 1
        with (tmp_path / "use").open("r+b") as file:
            file.write(bytes(written))

        assert len(opened.read(2 + slot).processes) == slot + 1


def test_what_is_written_meanwhile_is_seen_at_the_next_look(tmp_path, opened):
    written = use_page()
    written.gpu[1].launches = 5
    with (tmp_path / "use").open("r+b") as file:
        file.write(bytes(written))

    assert opened.read(2).gpus[1].launches == 5


def test_a_look_without_slots_sees_counters_of_now_and_processes_of_the_look_before(
    tmp_path, opened
):
    written = use_page()
    written.gpu[1].launches = 5
    claim(written, 0, pid=10, memory_bytes=(GIB, 1))
    with (tmp_path / "use").open("r+b") as file:
        file.write(bytes(written))

    short, whole = opened.read(2, has_slots=False), opened.read(3)

    assert (short.gpus[1].launches, short.processes) == (5, ())
    assert [process.pid for process in whole.processes] == [10]
    assert opened.read(4, has_slots=False).processes == whole.processes


def test_the_first_look_has_slots_whether_they_are_asked_for_or_not(tmp_path):
    written = use_page()
    claim(written, 0, pid=10)
    write_use(tmp_path, written)
    page = UsePage(tmp_path, 1)

    reading = page.read(1, has_slots=False)
    page.close()

    assert [process.pid for process in reading.processes] == [10]


@pytest.mark.parametrize("has_slots", [True, False])
@pytest.mark.parametrize("field", ["magic", "abi_version"])
def test_a_page_that_becomes_another_version_is_tampered_with(tmp_path, opened, field, has_slots):
    written = use_page()
    setattr(written, field, 9)
    with (tmp_path / "use").open("r+b") as file:
        file.write(bytes(written))

    with pytest.raises(PageTamperedError, match="begins with"):
        opened.read(2, has_slots=has_slots)


@pytest.mark.parametrize("size_bytes", [0, 64, USE_BYTES - 1, USE_BYTES + 1])
def test_a_page_of_another_size_is_tampered_with(tmp_path, size_bytes):
    write_use(tmp_path, use_page())
    os.truncate(tmp_path / "use", size_bytes)

    with pytest.raises(PageTamperedError, match=f"{size_bytes} bytes; allowed: a file of 53248"):
        UsePage(tmp_path, 1).read(1)


@pytest.mark.parametrize("has_slots", [True, False])
def test_a_page_that_is_cut_while_it_is_read_is_tampered_with(tmp_path, opened, has_slots):
    os.truncate(tmp_path / "use", 100)

    with pytest.raises(PageTamperedError, match="has 100 bytes; allowed: 53248"):
        opened.read(2, has_slots=has_slots)


@pytest.mark.parametrize("field", ["magic", "abi_version", "size_bytes"])
def test_a_page_of_another_version_is_tampered_with(field):
    written = use_page()
    setattr(written, field, 9)

    with pytest.raises(PageTamperedError, match=r"^use: begins with magic 0x.*; allowed: magic 0x"):
        parse_use(use_bytes(written), 1, 1, "use")


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/passwd")],
    ids=["pipe", "folder", "link"],
)
def test_anything_but_a_file_is_tampered_with_and_keeps_nobody_waiting(tmp_path, make):
    make(tmp_path / "use")

    with pytest.raises(PageTamperedError, match="use: "):
        UsePage(tmp_path, 1).read(1)


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_page_that_is_replaced_or_removed_is_told_once(tmp_path, opened, is_replaced):
    (tmp_path / "use").unlink()
    if is_replaced:
        write_use(tmp_path, use_page())

    with pytest.raises(PageTamperedError, match="was removed or replaced while in use"):
        opened.read(1 + WHOLE_EVERY_NS)

    assert (opened.read(2 + WHOLE_EVERY_NS) is not None) is is_replaced


@given(seed=st.integers(0, 2**32), count=st.integers(1, 16))
def test_hostile_content_is_a_reading_and_never_an_error(seed, count):
    content = random.Random(seed).randbytes(USE_BYTES - 64)

    reading = parse_use(use_bytes(use_page())[:64] + content, count, 1, "use")

    assert len(reading.gpus) == count
    assert all(0 <= reading.memory_bytes(gpu) < 2**72 for gpu in range(count))
    assert all(process.pid > 0 for process in reading.processes)


def test_all_fields_are_read_where_the_layout_has_them():
    written = use_page()
    written.unknown_symbols = 9
    process = claim(written, 3, pid=10, generation=4, start_time=5, memory_bytes=range(1, 17))
    for i, (name, _) in enumerate(written.gpu[15]._fields_):
        setattr(written.gpu[15], name, 100 + i)

    reading = parse_use(use_bytes(written), 16, 1, "use")

    gpu, [found] = reading.gpus[15], reading.processes
    assert {name: getattr(written.gpu[15], name) for name in gpu._fields} == gpu._asdict()
    same = set(found._fields) - {"slot", "is_counted", "memory_bytes"}
    assert {name: getattr(process, name) for name in same} == {
        name: getattr(found, name) for name in same
    }
    assert (found.slot, found.memory_bytes) == (3, tuple(range(1, 17)))
    assert reading.unknown_symbols == 9
