import pytest
import yaml

from autoscaler.api.crd import definition
from autoscaler.api.kinds import KINDS


def test_all_definitions_are_printed_as_one_stream(tfa):
    ended = tfa("crds")

    assert ended.code == 0
    assert list(yaml.safe_load_all(ended.out)) == [definition(kind) for kind in KINDS]


@pytest.mark.parametrize(
    "name", ["GPUPool", "gpupool", "gpupools", "gpool", "gpupools.tensor-fusion.ai"]
)
def test_a_kind_is_chosen_by_any_of_its_names(tfa, name):
    [printed] = yaml.safe_load_all(tfa("crds", "--name", name).out)

    assert printed["metadata"]["name"] == "gpupools.tensor-fusion.ai"


def test_chosen_kinds_are_printed_once_each(tfa):
    printed = list(yaml.safe_load_all(tfa("crds", "--name", "gpu", "--name", "gpus").out))

    assert [item["spec"]["names"]["kind"] for item in printed] == ["GPU"]


def test_a_folder_gets_one_file_a_kind(tfa, tmp_path):
    ended = tfa("crds", "--output-dir", tmp_path / "crds")

    assert (ended.code, ended.out) == (0, "")
    written = {
        path.name: yaml.safe_load(path.read_text()) for path in (tmp_path / "crds").iterdir()
    }
    assert written == {f"{kind.plural}.yaml": definition(kind) for kind in KINDS}


def test_an_unknown_kind_ends_with_2_and_names_the_known_ones(tfa):
    ended = tfa("crds", "--name", "pods")

    assert (ended.code, ended.out) == (2, "")
    assert "'pods' is no kind of the API; allowed: workloadprofiles, " in ended.err


def test_a_file_in_place_of_the_folder_ends_with_2(tfa, tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    ended = tfa("crds", "--output-dir", path)

    assert ended.code == 2
    assert f"{path} is no folder" in ended.err


def test_removing_has_to_be_told_that_data_goes(tfa):
    ended = tfa("crds", "remove", "--yes")

    assert (ended.code, ended.out) == (2, "")
    assert "every profile, workload, pool and quota of the cluster goes with" in ended.err


def test_removing_without_a_terminal_must_be_told_to_go_on(tfa):
    ended = tfa("crds", "remove", "--delete-data")

    assert (ended.code, ended.out) == (2, "")
    assert "give --yes, or --dry-run" in ended.err
