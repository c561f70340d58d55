import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.errors import InputError
from autoscaler.sources.usage_rows import read_usage
from tests.generated_usage import GIB, START_S, fleet, minutes, series, write_csv

HEADER = "series_id,ts,resource,value\n"


@pytest.fixture
def read(tmp_path):
    def read(*lines, header=HEADER):
        path = tmp_path / "usage.csv"
        path.write_text(header + "".join(f"{line}\n" for line in lines))
        usage = read_usage(path)
        prefix = f"{path}: "
        return usage, [note.removeprefix(prefix) for note in usage.notes]

    return read


def samples(usage, resource):
    column = usage.columns[resource]
    names = [f"{label['namespace']}/{label['workload']}" for label in usage.labels]
    return [
        (names[i], int(ts), float(value))
        for i, ts, value in zip(column.series, column.ts, column.value, strict=True)
    ]


def test_the_namespace_stands_before_the_first_slash(read):
    usage, _ = read("team/chat/v1,1772323200,tflops,3", "solo,1772323200,tflops,4")
    assert [dict(label) for label in usage.labels] == [
        {"namespace": "default", "workload": "solo", "worker": "solo"},
        {"namespace": "team", "workload": "chat/v1", "worker": "chat/v1"},
    ]


def test_workers_of_one_workload_have_their_own_series(read):
    usage, _ = read(
        "a,chat,w1,1772323200,tflops,3",
        "a,chat,w2,1772323200,tflops,4",
        header="namespace,workload,worker,ts,resource,value\n",
    )
    assert usage.keys() == [("a", "chat")]
    assert [label["worker"] for label in usage.labels] == ["w1", "w2"]
    assert usage.workers() == {
        ("a", "chat"): {"w1": (1772323200, 1772323200), "w2": (1772323200, 1772323200)}
    }


@pytest.mark.parametrize(
    "stamp",
    [
        "1772323200",
        "1772323200.7",
        "2026-03-01T00:00:00Z",
        "2026-03-01 00:00:00",
        "2026-03-01T01:00:00+01:00",
        "2026-03-01",
    ],
)
def test_stamps_are_unix_seconds_or_iso_8601_in_utc(read, stamp):
    usage, notes = read(f"a,{stamp},tflops,3")
    assert (usage.columns["tflops"].ts.tolist(), notes) == ([1772323200], [])


def test_both_spellings_of_time_may_stand_in_one_file(read):
    usage, _ = read("a,1772323200,tflops,3", "a,2026-03-01T00:01:00Z,tflops,3")
    assert usage.columns["tflops"].ts.tolist() == [1772323200, 1772323260]


@pytest.mark.parametrize(
    ("row", "column", "shown"),
    [
        ("te\x1b[2Jam/chat,1772323200,tflops,3", "series_id", r"'te\x1b[2Jam/chat'"),
        ("team/\u202echat,1772323200,tflops,3", "series_id", r"'team/\u202echat'"),
        ("team/chat,1772323200,my\x9bunit,3", "resource", r"'my\x9bunit'"),
    ],
)
def test_a_name_that_cannot_be_shown_is_refused_with_its_place(read, row, column, shown):
    with pytest.raises(InputError) as raised:
        read("a,1772323200,tflops,3", row)
    text = str(raised.value)
    assert text.isprintable()
    assert f"line 3: {column} {shown} is not valid; allowed: letters that can be" in text


def test_a_worker_that_cannot_be_shown_is_refused_too(read):
    with pytest.raises(InputError, match=r"line 2: worker 'w\\r1' is not valid"):
        read(
            'a,chat,"w\r1",1772323200,tflops,3',
            header="namespace,workload,worker,ts,resource,value\n",
        )


def test_names_of_any_script_are_taken(read):
    usage, _ = read("größe/模型 1,1772323200,tflops,3")
    assert usage.keys() == [("größe", "模型 1")]


def test_columns_that_are_not_used_are_shown_harmlessly(read):
    _, notes = read("a,1772323200,tflops,3,1", header="series_id,ts,resource,value,x\x1b[2J\n")
    assert notes == ["columns not used: x\ufffd[2J"]


def test_milliseconds_are_refused_with_a_hint(read):
    with pytest.raises(InputError, match=r"line 3 looks like milliseconds .*divide by 1000"):
        read("a,1772323200,tflops,3", "a,1772323200000,tflops,3")


def test_time_stamp_columns_of_parquet_are_read(tmp_path):
    path = tmp_path / "usage.parquet"
    ts = pd.to_datetime(minutes(3), unit="s")
    series("a", "tflops", ts, [1.0, 2.0, 3.0]).to_parquet(path)
    assert read_usage(path).columns["tflops"].ts.tolist() == minutes(3).tolist()


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("a,1772323260,tflops,lots", "the value is text, not a number; the first is 'lots' on"),
        ("a,1772323260,tflops,12 GiB", "the value is text, not a number; the first is '12 GiB' on"),
        ("a,1772323260,tflops,NaN", "the value is missing or NaN; the first is on"),
        ("a,1772323260,tflops,", "the value is missing or NaN; the first is on"),
        ("a,1772323260,tflops,inf", "the value is infinite; the first is on"),
        ("a,1772323260,tflops,-3", "the value is negative; the first is -3 on"),
        ("a,noon,tflops,3", "ts is no time; the first is 'noon' on"),
        ("a,-5,tflops,3", "ts is not after 1970; the first is '-5"),
        ("a,1772323260,,3", "no resource is named; the first is on"),
        (",1772323260,tflops,3", "no workload is named; the first is on"),
        ("a/,1772323260,tflops,3", "no workload is named; the first is on"),
        (
            "a,1772323260,tflops,1e9",
            "more than any GPU has (tflops at most 10000); the first is 1e+09 on",
        ),
    ],
)
def test_a_row_that_holds_no_usable_number_is_counted_and_quoted(read, line, note):
    usage, notes = read("a,1772323200,tflops,3", line)
    assert len(notes) == 1
    assert notes[0].startswith(f"1 row left out: {note}")
    assert notes[0].endswith("line 3")
    assert samples(usage, "tflops") == [("default/a", 1772323200, 3.0)]


def test_rows_with_the_same_fault_are_counted_once(read):
    _, notes = read("a,1772323200,tflops,3", "a,1772323260,tflops,x", "b,1772323260,tflops,y")
    assert notes == ["2 rows left out: the value is text, not a number; the first is 'x' on line 3"]


def test_blank_lines_are_no_fault_and_count_as_lines(read):
    _, notes = read("", "a,1772323200,tflops,3", "", "a,1772323260,tflops,x")
    assert notes == ["1 row left out: the value is text, not a number; the first is 'x' on line 5"]


def test_a_file_without_usable_sample_says_everything_that_was_wrong(read):
    with pytest.raises(InputError) as raised:
        read("a,1772323200,tflops,x", "a,1772323200,tflops,-1")
    text = str(raised.value)
    assert "no usable sample" in text
    assert "'x' on line 2" in text
    assert "-1 on line 3" in text


def test_a_workload_whose_samples_were_all_left_out_is_still_known(read):
    usage, _ = read("a,1772323200,tflops,3", "b,1772323200,tflops,1e9")
    assert usage.keys() == [("default", "a"), ("default", "b")]
    assert usage.workers()["default", "b"] == {}


def test_of_two_samples_under_one_stamp_the_larger_counts(read):
    usage, notes = read("a,1772323200,tflops,3", "a,1772323200,tflops,7", "a,1772323200,tflops,5")
    assert samples(usage, "tflops") == [("default/a", 1772323200, 7.0)]
    assert notes == [
        "tflops: 2 samples share series and second with another; the largest of them counts"
    ]


def test_a_clock_that_goes_back_is_said_and_put_in_order(read):
    usage, notes = read("a,1772323200,tflops,1", "a,1772323320,tflops,3", "a,1772323260,tflops,2")
    assert [value for *_, value in samples(usage, "tflops")] == [1.0, 2.0, 3.0]
    assert notes == [
        (
            "tflops: time goes back at 1 place, first for default/a on line 4 "
            "(from 2026-03-01T00:02:00Z to 2026-03-01T00:01:00Z); the samples were put in order"
        )
    ]


def test_a_clock_that_jumps_forward_is_said(read):
    _, notes = read("a,1772323200,tflops,1", "a,1803859200,tflops,3")
    assert notes == [
        (
            "tflops: the clock jumps forward by more than a day at 1 place, first for default/a "
            "from 2026-03-01T00:00:00Z to 2027-03-01T00:00:00Z; if that is a fault, leave out "
            "what follows with --until"
        )
    ]


def test_a_stray_stamp_far_ahead_does_not_make_the_record_look_old(read):
    steady = [f"a,{START_S + 60 * i},tflops,3" for i in range(60)]
    usage, notes = read(*steady, f"a,{START_S + 90 * 86400},tflops,3")
    assert usage.end_s == START_S + 60 * 60
    assert notes == [
        (
            "1 row left out: a stamp more than a day after all others; the first is "
            f"'{START_S + 90 * 86400}' on line 62"
        )
    ]


def test_a_workload_that_comes_back_after_days_is_not_stray(read):
    before = [f"a,{START_S + 60 * i},tflops,3" for i in range(60)]
    after = [f"a,{START_S + 9 * 86400 + 60 * i},tflops,3" for i in range(5)]
    usage, _ = read(*before, *after)
    assert len(usage.columns["tflops"].ts) == 65


def test_the_step_is_the_most_frequent_distance(read):
    stamps = [0, 60, 120, 180, 600, 1200]
    usage, _ = read(*(f"a,{START_S + ts},tflops,3" for ts in stamps), "b,1772323200,gpus,1")
    assert usage.columns["tflops"].step_s == 60
    assert usage.end_s == START_S + 1260


def test_percent_that_is_mostly_above_100_is_left_out_whole(read):
    usage, _ = read(
        "a,1772323200,tflops_pct,250", "a,1772323260,tflops_pct,90", "b,1772323200,tflops_pct,50"
    )
    assert [name for name, *_ in samples(usage, "tflops_pct")] == ["default/b"]
    [rejected] = usage.rejected
    assert (rejected.workload, rejected.resource) == ("a", "tflops_pct")
    assert rejected.reason.startswith("1 of 2 values of tflops_pct are above 100 (largest 250)")


def test_one_percentage_in_many_above_100_goes_alone(read):
    usage, notes = read(
        *(f"a,{START_S + 60 * i},tflops_pct,50" for i in range(200)),
        f"a,{START_S + 60 * 200},tflops_pct,180",
    )
    assert usage.rejected == ()
    assert len(usage.columns["tflops_pct"]) == 200
    assert notes == ["1 row left out: more than 100 % of a GPU; the first is 180 on line 202"]


def test_percent_that_looks_like_a_share_is_pointed_out(read):
    usage, notes = read("a,1772323200,tflops_pct,0.5", "b,1772323200,tflops_pct,1")
    assert usage.rejected == ()
    assert notes == [
        (
            "no value of tflops_pct is above 1; it is a percentage, 0 to 100: shares from 0 to 1 "
            "would be sized 100 times too small"
        )
    ]


def test_an_idle_gpu_is_no_share(read):
    assert read("a,1772323200,tflops_pct,0")[1] == []


def test_vram_that_looks_like_mib_is_left_out_whole(read):
    usage, _ = read("a,1772323200,vram_bytes,24000", "b,1772323200,vram_bytes,2e10")
    [rejected] = usage.rejected
    assert rejected.reason.startswith("the largest value of vram_bytes is 24000, which looks like")
    assert [name for name, *_ in samples(usage, "vram_bytes")] == ["default/b"]


def test_vram_that_mixes_bytes_and_mib_is_left_out_whole(read):
    usage, _ = read(
        "a,1772323200,vram_bytes,24000",
        "a,1772323260,vram_bytes,25165824000",
        "b,1772323200,vram_bytes,2e10",
    )
    [rejected] = usage.rejected
    assert "bytes are mixed with another unit" in rejected.reason


def test_vram_of_zero_is_no_wrong_unit(read):
    usage, _ = read("a,1772323200,vram_bytes,0")
    assert usage.rejected == ()


def test_a_file_of_wrong_units_alone_has_no_usable_sample(read):
    with pytest.raises(InputError, match="looks like MiB"):
        read("a,1772323200,vram_bytes,24000")


def test_any_other_resource_keeps_its_own_unit(read):
    usage, notes = read("a,1772323200,tokens_per_s,4639939.5")
    assert samples(usage, "tokens_per_s") == [("default/a", 1772323200, 4639939.5)]
    assert notes == []


values = st.floats(0.0, 100.0, allow_nan=False, width=32)
rows = st.lists(
    st.tuples(
        st.sampled_from(["a", "b/c", "b/d"]),
        st.integers(START_S, START_S + 7200),
        st.sampled_from(["tflops", "tflops_pct", "tokens"]),
        values,
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(rows=rows, seed=st.integers(0, 2**32 - 1))
def test_the_order_of_the_rows_does_not_matter(rows, seed, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    frame = pd.DataFrame(rows, columns=["series_id", "ts", "resource", "value"])
    shuffled = frame.sample(frac=1.0, random_state=np.random.default_rng(seed))
    first, second = (
        read_usage(write_csv(part, folder / name))
        for part, name in ((frame, "one.csv"), (shuffled, "two.csv"))
    )
    assert first.labels == second.labels
    assert set(first.columns) == set(second.columns)
    for name, column in first.columns.items():
        other = second.columns[name]
        np.testing.assert_array_equal(column.series, other.series)
        np.testing.assert_array_equal(column.ts, other.ts)
        np.testing.assert_array_equal(column.value, other.value)
        assert column.step_s == other.step_s


@settings(max_examples=40, deadline=None)
@given(rows=rows)
def test_nothing_is_lost_but_duplicates(rows, tmp_path_factory):
    frame = pd.DataFrame(rows, columns=["series_id", "ts", "resource", "value"])
    usage = read_usage(write_csv(frame, tmp_path_factory.getbasetemp() / "usage.csv"))
    distinct = frame.drop_duplicates(["series_id", "ts", "resource"])
    assert sum(len(column) for column in usage.columns.values()) == len(distinct)


def test_a_fleet_is_read_as_it_was_written(tmp_path):
    frame = fleet(["a/x", "b/y"], 0.2)
    usage = read_usage(write_csv(frame, tmp_path / "usage.csv"))
    expected = frame[frame.resource == "vram_bytes"].sort_values(["ts", "series_id"])
    np.testing.assert_allclose(usage.columns["vram_bytes"].value, expected.value, rtol=1e-12)
    assert usage.columns["vram_bytes"].value.max() <= 8 * GIB


@pytest.mark.parametrize("bad", ["n/k", "", "-1", "inf"])
def test_a_workload_that_loses_all_values_of_a_resource_is_named_and_the_rest_stays(read, bad):
    usage, _ = read(
        "a/x,1772323200,tflops,3",
        f"a/x,1772323200,vram_bytes,{bad}",
        f"a/x,1772323260,vram_bytes,{bad}",
    )
    [lost] = usage.rejected
    assert (lost.namespace, lost.workload, lost.resource) == ("a", "x", "vram_bytes")
    assert lost.reason.startswith("no usable value of vram_bytes: ")
    assert set(usage.columns) == {"tflops"}


@pytest.mark.parametrize("resource", ["tflops", "tflops_pct", "vram_bytes", "tokens"])
def test_without_any_usable_value_the_file_is_refused(read, resource):
    with pytest.raises(InputError, match="no usable sample"):
        read(f"a/x,1772323200,{resource},n/k", f"a/y,1772323200,{resource},-3")
