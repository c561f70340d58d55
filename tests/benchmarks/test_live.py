"""The benchmarks of the whole loop run, with little to do; no time is judged."""

import math

import pytest

from tests.benchmarks.gpu_cells import MODEL
from tests.benchmarks.live import LiveSizes, on_a_live_cluster
from tests.benchmarks.live_cells import CELL, Copying, Placed, copied_worker
from tests.benchmarks.live_exporter import Page
from tests.benchmarks.live_usage import METRICS, PEAK, USUAL, level_at
from tests.components.fixtures import needed_program
from tests.components.programs import CLUSTER_PROGRAMS

TINY = LiveSizes(cells=2, past_minutes=40, ticks=2, saturated=(1, 2), tick_s=2)
UID = "6f9619ff-8b86-4011-b42d-00c04fc964ff"


def worker(number):
    return Placed(f"chat-{number}", f"chat-{number}-0", "node-1", "GPU-1")


def test_every_number_is_measured():
    for name in (*CLUSTER_PROGRAMS, "prometheus", "promtool"):
        needed_program(name)
    rows = list(on_a_live_cluster(TINY))

    may_be_zero = {"  its writes", "  statuses that waited, at most", "  validate", "  apply"}
    assert [
        row.what
        for row in rows
        if not math.isfinite(row.value) or (row.value <= 0 and row.what not in may_be_zero)
    ] == []
    name = "tfa autoscaler, 20 workloads, 80 workers"
    assert [row.what for row in rows if not row.what.startswith(" ")] == [
        f"{name}: first decision",
        f"{name}: a tick",
        "4 workers at their limit at once: all have more",
        "8 workers at their limit at once: all have more",
        f"{name}: its end",
        f"{name}: first decision after a restart",
    ]


def test_a_copy_has_names_and_uids_of_its_own_and_is_as_long():
    stored = f'{{"name": "{CELL}-service-3-0", "uid": "{UID}", "image": "{UID[::-1]}"}}'.encode()

    copy = Copying([UID]).copied(stored, 42)

    assert len(copy) == len(stored)
    assert b"cell00042-service-3-0" in copy
    assert f"{UID[:-5]}00042".encode() in copy
    assert UID[::-1].encode() in copy


def test_workers_of_a_copy_are_told_apart_by_the_number_of_the_copy():
    original = Placed(f"{CELL}-service-1", f"{CELL}-service-1-0", CELL, f"GPU-{CELL}-1")

    assert copied_worker(original, 7) == Placed(
        "cell00007-service-1", "cell00007-service-1-0", "cell00007", "GPU-cell00007-1"
    )


def test_a_page_shows_every_series_of_every_worker():
    lines = Page([worker(0), worker(1)]).scraped().decode().splitlines()

    assert len(lines) == 2 * len(METRICS)
    assert all(f'gpu_model="{MODEL}"' in line for line in lines)


@pytest.mark.parametrize(("time_s", "level"), [(0, PEAK), (14, PEAK), (15, USUAL), (59, USUAL)])
def test_use_has_a_peak_in_one_quarter_of_a_minute(time_s, level):
    assert level_at(time_s) == level


def test_only_workers_of_named_workloads_are_at_their_share_and_it_is_known_since_when():
    page = Page([worker(0), worker(1)])
    page.scraped()

    page.saturate(frozenset({"chat-1"}))

    assert page.shown_s == 0.0
    use = [line for line in page.scraped().decode().splitlines() if 'method="sm_time"' in line]
    assert use[1].endswith(" 20")
    assert not use[0].endswith(" 20")
    assert page.shown_s > 0.0
