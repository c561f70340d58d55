import pytest
import yaml

from autoscaler.agent.running.file_workers import FileWorkers
from autoscaler.errors import InputError
from tests.autoscaler.agent.running.moments import UUID, device

CARDS = {UUID: device()}


class Host:
    """A plain host whose file a test writes."""

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "workers.yaml"
        self.now_ns = 1000
        self.workers = FileWorkers(self.file, monotonic_ns=lambda: self.now_ns)

    def state(self, *rows):
        beside = self.folder / "new"
        beside.write_text(yaml.safe_dump({"workers": list(rows)}))
        beside.replace(self.file)
        self.now_ns += 1000

    def row(self, name="train", **changes):
        return {"name": name, "root": str(self.folder / name), "gpus": [0], **changes}

    def roster(self, cards=CARDS):
        return self.workers.roster(cards)


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_the_workers_of_the_file_are_served_in_their_folders(host):
    host.state(host.row(**{"tflops-limit": 100, "vram-limit": "20Gi"}))

    [served] = host.roster().served

    assert (served.worker.name, served.worker.tflops_limit) == ("train", 100.0)
    assert served.folders.control == host.folder / "train" / "ctl"
    assert served.folders.use.is_dir()
    assert host.workers.problems() == ()


def test_a_file_that_changes_is_read_again(host):
    host.state(host.row(**{"tflops-limit": 100}), host.row("other"))
    [first, other] = host.roster().served
    host.state(host.row(**{"tflops-limit": 200}), host.row("other"))

    [changed, same] = host.roster().served

    assert (changed.worker.tflops_limit, changed.seen_ns) == (200.0, 3000)
    assert (first.seen_ns, same) == (2000, other)


def test_the_roster_is_made_anew_only_where_the_file_or_the_gpus_changed(host):
    host.state(host.row())
    first = host.roster()

    assert host.roster(dict(CARDS)) is first
    assert host.roster({}) is not first


def test_a_worker_that_leaves_the_file_is_served_no_more(host):
    host.state(host.row(), host.row("other"))
    host.roster()
    host.state(host.row("other"))

    assert [each.worker.name for each in host.roster().served] == ["other"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workers: [{name: train}]", "root"),
        ("workers: {", "is no YAML"),
        (b"\xff\xfe", "not UTF-8"),
        ("workers: [{name: a, root: /x, gpus: [7]}]", "allowed: an index from 0 to 0"),
    ],
    ids=["incomplete", "no YAML", "no text", "no such GPU"],
)
def test_a_file_that_cannot_be_used_leaves_what_was_read_before(host, text, message):
    host.state(host.row())
    before = host.roster()
    host.file.write_bytes(text if isinstance(text, bytes) else text.encode())

    for _ in range(3):
        after = host.roster()

    assert after == before
    [problem] = host.workers.problems()
    assert str(host.file) in problem
    assert message in problem
    assert problem.endswith("; what was read before stays in force")


def test_a_file_that_is_put_right_is_used(host):
    host.file.write_text("workers: {")
    host.roster()
    host.state(host.row())

    assert [each.worker.name for each in host.roster().served] == ["train"]
    assert host.workers.problems() == ()


def test_a_file_that_is_not_there_is_a_problem_and_no_end(host):
    assert host.roster().served == ()

    [problem] = host.workers.problems()
    assert problem == f"{host.file}: cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        ("workers: {", "is no YAML"),
        (b"\xff\xfe", "not UTF-8"),
        ("workers: [{name: train}]", "root: is missing"),
    ],
    ids=["missing", "no YAML", "no text", "incomplete"],
)
def test_a_file_that_no_host_could_use_is_refused_beforehand(host, text, message):
    if text is not None:
        host.file.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(InputError, match=message):
        host.workers.check()


def test_a_file_for_gpus_that_are_not_there_yet_is_not_refused(host):
    host.state(host.row(gpus=[7]))

    host.workers.check()


def test_gpus_that_are_found_later_make_the_workers_possible(host):
    host.state(host.row())
    assert host.roster({}).served == ()
    assert host.workers.problems() != ()

    assert len(host.roster().served) == 1
    assert host.workers.problems() == ()
