import pytest

from autoscaler.errors import InputError, UsageError
from autoscaler.sources.profiles import read_profile_files
from autoscaler.sources.workloads_file import KEYS, VALUE_KEYS, YAML_KEYS, read_workloads_file
from recommender.policy.fields import STATEMENTS
from recommender.policy.schema import workloads_row_schema


@pytest.fixture
def read(tmp_path):
    def read(text, name="w.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return read_workloads_file(path)

    return read


def error_of(read, text, name="w.yaml", kind=UsageError):
    with pytest.raises(kind) as raised:
        read(text, name)
    return str(raised.value)


def test_csv_and_yaml_say_the_same(read):
    csv = read("series_id,tflops_request,gpu_model\nteam/chat,40,A100\n", "w.csv").rows
    yaml = read("- {namespace: team, workload: chat, tflops_request: '40', gpu_model: A100}").rows
    assert [(row.key, dict(row.values)) for row in csv] == [
        (row.key, dict(row.values)) for row in yaml
    ]


def test_a_mapping_with_workloads_is_a_list_of_them(read):
    [row] = read("workloads:\n- series_id: team/chat\n").rows
    assert row.key == ("team", "chat")


def test_places_are_lines_of_the_file(read, tmp_path):
    rows = read("# what runs\n- series_id: a\n\n- series_id: b\n").rows
    assert [row.place.rpartition(" line ")[2] for row in rows] == ["2", "4"]
    rows = read("series_id\na\n\nb\n", "w.csv").rows
    assert [row.place.rpartition(" line ")[2] for row in rows] == ["2", "4"]


def test_empty_cells_are_not_set(read):
    [row] = read("series_id,tflops_request,vram_request\nchat, ,4Gi\n", "w.csv").rows
    assert dict(row.values) == {"vram_request": "4Gi"}
    assert row.key == ("default", "chat")


def test_nan_of_a_document_is_what_somebody_wrote_and_no_empty_cell(read):
    [row] = read("- {series_id: a, tflops_request: .nan, vram_request: null}").rows
    assert dict(row.values) == {"tflops_request": "nan"}


def test_unknown_keys_are_named_with_the_likely_one(read):
    notes = read("- {series_id: a, tflops_reqest: 5}").notes
    assert len(notes) == 1
    assert notes[0].endswith(
        "line 1: unknown key 'tflops_reqest' was not used; did you mean tflops_request?"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- {tflops_request: 5}", "no workload named"),
        ("- {namespace: a, series_id: b/c}", "name two workloads"),
        ("- {series_id: a/}", "names no workload"),
        ("- chat", "is no mapping"),
        ("- {series_id: a, annotations: [x]}", "annotations: ['x'] is not valid"),
        ("- {series_id: a, autoScalingConfig: yes}", "allowed: a mapping"),
    ],
)
def test_a_row_that_cannot_be_used_is_an_error(read, text, words):
    assert words in error_of(read, text)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (r'{namespace: "te\e[2Jam", workload: chat}', r"namespace: 'te\x1b[2Jam' is not valid"),
        (r'{series_id: "team/\u202Echat"}', r"series_id: 'team/\u202echat' is not valid"),
        (r'{series_id: a, pool: "x\ny"}', r"pool: 'x\ny' is not valid"),
        (r'{series_id: a, owner: "Deployment/\x9bm"}', r"owner: 'Deployment/\x9bm' is not valid"),
    ],
)
def test_a_text_that_cannot_be_shown_is_refused(read, row, words):
    text = error_of(read, f"- {row}\n")
    assert words in text
    assert text.isprintable()


def test_two_texts_that_cannot_be_shown_are_two_problems(read):
    text = error_of(read, r'- {series_id: a, pool: "\a1", kind: "\a2"}')
    assert [line.split(": ")[1] for line in text.splitlines()] == ["kind", "pool"]


def test_a_header_is_shown_harmlessly(read):
    assert "(found: na\ufffdme)" in error_of(read, "na\x1bme\nx\n", "w.csv", InputError)


def test_all_problems_are_named_at_once(read):
    text = error_of(read, "- {series_id: a}\n- {replicas: 1}\n- {series_id: default/a}\n")
    first, second = text.splitlines()
    assert "line 2: no workload named" in first
    assert "line 3: default/a stands already in" in second


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("", "w.yaml", "a list of workloads is expected"),
        ("[]", "w.yaml", "no workload in the file"),
        ("a: [", "w.yaml", "w.yaml:1:5: is no YAML: "),
        ("- {workload: 2026-13-45}", "w.yaml", "is no YAML: month must be in 1..12"),
        ("", "w.csv", "no column namespace and workload, nor series_id"),
        ("name,replicas\na,1\n", "w.csv", "(found: name, replicas)"),
        ("series_id\n", "w.csv", "no workload in the file"),
        ('series_id\n"a', "w.csv", "not a regular CSV"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_input_error(read, text, name, words):
    assert words in error_of(read, text, name, InputError)


def test_more_cells_than_columns_are_refused(read):
    assert "more cells" in error_of(read, "series_id,replicas\na,1,2\n", "w.csv")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_workloads_file(tmp_path / "none.yaml")


def test_every_statement_has_its_column():
    columns = {statement.column for statement in STATEMENTS if statement.column}
    assert columns <= set(VALUE_KEYS)


def test_the_schema_of_a_row_knows_every_key():
    assert set(KEYS) - set(workloads_row_schema()["properties"]) == set()
    assert set(YAML_KEYS) <= set(KEYS)


PROFILE = """
apiVersion: tensor-fusion.ai/v1
kind: WorkloadProfile
metadata: {{name: {name}, namespace: team}}
spec: {{replicas: 2}}
"""


def test_profiles_are_read_from_a_file_or_a_folder(tmp_path):
    (tmp_path / "a.yaml").write_text(PROFILE.format(name="small"))
    (tmp_path / "b.yml").write_text(PROFILE.format(name="large"))
    (tmp_path / "notes.txt").write_text("no manifest")
    assert set(read_profile_files(tmp_path / "a.yaml")) == {("team", "small")}
    assert set(read_profile_files(tmp_path)) == {("team", "small"), ("team", "large")}
    assert read_profile_files(None) == {}


def test_a_profile_in_two_files_is_a_problem(tmp_path):
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(PROFILE.format(name="small"))
    with pytest.raises(UsageError, match="team/small stands in another file too"):
        read_profile_files(tmp_path)


def test_a_folder_without_profiles_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no manifest of kind WorkloadProfile"):
        read_profile_files(tmp_path)


def test_a_profile_whose_name_cannot_be_shown_is_a_problem(tmp_path):
    (tmp_path / "a.yaml").write_text(PROFILE.format(name=r'"sm\e[2Jall"'))
    with pytest.raises(UsageError) as raised:
        read_profile_files(tmp_path)
    assert r"the name 'team/sm\x1b[2Jall' of a WorkloadProfile is not valid" in str(raised.value)
    assert str(raised.value).isprintable()
