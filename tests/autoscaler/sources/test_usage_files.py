import gzip

import pytest

from autoscaler.errors import InputError
from autoscaler.sources.usage_rows import read_usage
from tests.generated_usage import minutes, series, workload, write_csv

HEADER = "series_id,ts,resource,value\n"


def error_of(path):
    with pytest.raises(InputError) as raised:
        read_usage(path)
    return str(raised.value)


def summary(usage):
    return {
        name: (column.series.tolist(), column.ts.tolist(), column.value.tolist(), column.step_s)
        for name, column in usage.columns.items()
    }


def test_plain_csv_gzip_and_parquet_give_the_same_samples(tmp_path):
    frame = workload("team/chat", 0.1)
    plain = write_csv(frame, tmp_path / "usage.csv")
    packed = tmp_path / "usage.data"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    columnar = tmp_path / "usage.parquet"
    frame.to_parquet(columnar)
    expected = summary(read_usage(plain))
    assert summary(read_usage(packed)) == expected
    assert summary(read_usage(columnar)) == expected


def test_a_byte_order_mark_and_spaces_around_column_names_do_not_matter(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text("\ufeffSeries_ID, TS ,resource,value\na,1772323200,tflops,3\n", "utf-8")
    assert read_usage(path).keys() == [("default", "a")]


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "none.csv"
    assert error_of(path) == f"{path}: cannot be read: No such file or directory"


def test_a_folder_is_no_file(tmp_path):
    assert "cannot be read: Is a directory" in error_of(tmp_path)


def test_an_empty_file_says_what_is_expected(tmp_path):
    path = tmp_path / "empty.csv"
    path.touch()
    assert error_of(path).startswith(f"{path}: the file is empty; a usage file has the columns ts")


def test_a_header_without_rows_is_said(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text(HEADER)
    assert error_of(path) == f"{path}: the file has a header and no rows"


def test_a_missing_column_names_what_was_found(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text("series_id,time,resource,value\na,1,tflops,3\n")
    assert "no column ts (found: series_id, time, resource, value)" in error_of(path)


def test_semicolons_are_pointed_out(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text("series_id;ts;resource;value\na;1;tflops;3\n")
    assert "columns must be separated by commas" in error_of(path)


def test_a_ragged_csv_names_the_line(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text(HEADER + "a,1772323200,tflops,3\na,1772323260,tflops,3,4,5\n")
    assert "line 3" in error_of(path)


def test_decimal_commas_are_pointed_out(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text(HEADER + "a,1772323200,tflops,3,5\na,1772323260,tflops,3,6\n")
    assert "a number needs a decimal point, not a comma" in error_of(path)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"PAR1 not really", "not a readable Parquet file"),
        (b"PK\x03\x04 spreadsheet", "ZIP archive or a spreadsheet"),
        (b"\x1f\x8b broken gzip", "cannot be read"),
        (b"\xff\xfe\x00a\x00b", "not UTF-8 text"),
    ],
)
def test_bytes_of_another_kind_are_refused(tmp_path, head, words):
    path = tmp_path / "usage"
    path.write_bytes(head)
    assert words in error_of(path)


def test_columns_that_are_not_used_are_named(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text("series_id,ts,resource,value,host\na,1772323200,tflops,3,n1\n")
    assert read_usage(path).notes == (f"{path}: columns not used: host",)


def test_names_that_look_like_missing_values_are_names(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text(HEADER + "NA/null,1772323200,tflops,3\n007/nan,1772323200,tflops,3\n")
    assert read_usage(path).keys() == [("007", "nan"), ("NA", "null")]


@pytest.mark.parametrize("index", ["ts", ["series_id", "resource"]])
def test_an_index_of_a_parquet_file_is_columns_like_others(tmp_path, index):
    path, stamps = tmp_path / "usage.parquet", [1772323200, 1772323260, 1772323321]
    series("a", "tflops", stamps, [1.0, 2.0, 3.0]).set_index(index).to_parquet(path)
    assert read_usage(path).columns["tflops"].value.tolist() == [1.0, 2.0, 3.0]


def test_numeric_series_ids_of_a_parquet_file_are_texts(tmp_path):
    path = tmp_path / "usage.parquet"
    series(7, "tflops", minutes(3), [1.0, 2.0, 3.0]).to_parquet(path)
    assert read_usage(path).keys() == [("default", "7")]
