import numpy as np

from autoscaler.simulate.families import BatchTraining, Idle, Planned, WithGaps
from autoscaler.simulate.usage_table import usage_table
from autoscaler.sources.usage_rows import read_usage
from recommender.resources import GIB, TFLOPS, VRAM

TS = 1_767_571_200 + 60 * np.arange(60)
STEADY = Planned(points=((0, 30.0, 12.0),))
LOADS = {"team-a/chat": STEADY, "team-b/notebook": Idle(vram_bytes=6 * GIB)}


def used(table, name, resource):
    chosen = (table["series_id"] == name) & (table["resource"] == resource.name)
    return table["value"][chosen].to_numpy()


def test_a_report_can_read_it_from_a_file(tmp_path):
    path = tmp_path / "usage.parquet"
    usage_table(LOADS, TS, seed=1).to_parquet(path, index=False)

    usage = read_usage(path)
    assert usage.notes == ()
    assert usage.keys() == [("team-a", "chat"), ("team-b", "notebook")]
    assert (usage.start_s, usage.columns["tflops"].step_s) == (TS[0], 60)


def test_it_holds_what_each_load_wants_of_compute_and_vram():
    table = usage_table(LOADS, TS, seed=1)

    assert used(table, "team-a/chat", TFLOPS).tolist() == [30.0] * 60
    assert used(table, "team-a/chat", VRAM).tolist() == [12 * GIB] * 60


def test_use_ends_at_the_limit():
    table = usage_table(
        {**LOADS, "team-b/tuning": BatchTraining(tflops=120.0, vram_bytes=GIB)},
        TS,
        seed=1,
        limits_tflops={"team-b/tuning": 90.0},
    )

    assert used(table, "team-b/tuning", TFLOPS).max() == 90.0
    assert used(table, "team-a/chat", TFLOPS).max() == 30.0


def test_a_sample_that_is_missing_has_no_row():
    load = WithGaps(load=STEADY, gaps_per_day=0, stated_gaps_s=((0, 1800),))
    table = usage_table({"team-a/new": load}, TS, seed=1)

    assert table["ts"].unique().tolist() == TS[30:].tolist()


def test_a_seed_gives_the_same_again_and_one_more_load_changes_no_other():
    one = usage_table({"a/a": Idle(vram_bytes=GIB)}, TS, seed=1)
    more = usage_table({"a/a": Idle(vram_bytes=GIB), "a/b": STEADY}, TS, seed=1)
    other = usage_table({"a/a": Idle(vram_bytes=GIB)}, TS, seed=2)

    assert used(more, "a/a", TFLOPS).tolist() == used(one, "a/a", TFLOPS).tolist()
    assert used(other, "a/a", TFLOPS).tolist() != used(one, "a/a", TFLOPS).tolist()
