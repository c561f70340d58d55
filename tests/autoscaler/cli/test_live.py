import orjson
import pytest

from autoscaler.cli.live_explanation import live_explanation
from autoscaler.scaling.external.token_file import TokenFile
from autoscaler.scaling.holding import Hold
from autoscaler.scaling.page.answers import InForce, WorkloadAnswer
from recommender.report.jsonform import read_report
from tests.autoscaler.scaling.builders import view
from tests.autoscaler.scaling.page.boards import reported, served, serving
from tests.autoscaler.scaling.page.replies import replying

TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module")
def url():
    views = (view("chat", "auto-limits", "auto-requests"), view("search"))
    with reported(*views) as seen, served(seen) as address:
        for _ in range(4):
            seen.tick(after_s=15)
        yield address


def test_a_report_of_a_running_autoscaler_is_shown_as_any_other(tfa, url):
    ended = tfa("report", "--autoscaler", url, "-o", "json")

    assert ended.code == 0
    assert {item["identity"]["workload"] for item in ended.json["items"]} == {"chat", "search"}
    assert read_report(ended.out).meta.source == "https://prometheus.example (agent)"


def test_findings_of_a_running_autoscaler_give_the_same_exit_code(tfa, url):
    assert tfa("report", "--autoscaler", url, "--fail-on", "warning").code == 1
    assert tfa("report", "--autoscaler", url, "--fail-on", "critical").code == 0


def test_a_report_is_narrowed_here_as_any_other(tfa, url):
    ended = tfa("report", "--autoscaler", url, "-n", "nobody", "-o", "json")

    assert ended.json["items"] == []
    assert "matches no namespace of the report; it has team" in ended.err


def test_every_applied_change_is_explained_step_by_step(tfa, url):
    ended = tfa("explain", "team/chat", "--autoscaler", url)

    assert ended.code == 0
    head, _, rest = ended.out.partition("\n\n")
    assert head.splitlines()[0] == "team/chat"
    assert "live, mode apply, as of 2026-01-05 02:01 UTC" in head
    assert rest.startswith("in force on NVIDIA A100-SXM4-80GB\n")
    assert "tflops: request 91.5 TFLOPS (stated: 40 TFLOPS), limit 96 TFLOPS" in rest
    changes = rest.partition("\nchanges\n")[2].partition("\nlast decisions\n")[0]
    assert "limits, tflops: 80 -> 96 TFLOPS, applied" in changes
    assert "  2. margin: 76 -> 91.2 TFLOPS" in changes
    assert "requests, tflops: 40 -> 91.5 TFLOPS, applied" in changes
    assert "  2. margin: 79.5 -> 91.5 TFLOPS" in changes


def test_an_explanation_has_what_a_report_says_too(tfa, url):
    shown = tfa("explain", "team/chat", "--autoscaler", url).out

    assert "tflops: WARNING (TF-REQUEST-BELOW-USE)" in shown
    assert "had it been in force" in shown
    assert "changes so far" not in shown


def test_one_workload_can_be_had_in_any_format(tfa, url):
    ended = tfa("explain", "team/chat", "--autoscaler", url, "-o", "json")

    assert {item["identity"]["workload"] for item in ended.json["items"]} == {"chat"}


def test_a_workload_that_there_is_not_is_a_wrong_argument(tfa, url):
    ended = tfa("explain", "team/chaat", "--autoscaler", url)

    assert (ended.code, ended.out) == (2, "")
    assert "no workload 'chaat' in namespace 'team'; there is chat" in ended.err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--from", "x.csv"], "--from"),
        (["--prometheus-url", "http://p"], "--prometheus-url"),
        (["--workloads", "w.yaml", "--since", "1d"], "--workloads, --since"),
        (["--no-what-if"], "--no-what-if"),
        (["--step", "5m"], "--step"),
    ],
)
@pytest.mark.parametrize("command", [["report"], ["explain", "team/chat"]])
def test_options_of_another_input_are_refused(tfa, url, command, arguments, named):
    ended = tfa(*command, "--autoscaler", url, *arguments)

    assert ended.code == 2
    assert f"give either --autoscaler, or what it makes needless: {named}" in ended.err


def test_a_saved_report_and_an_autoscaler_are_not_taken_together(tfa, url):
    ended = tfa("explain", "team/chat", "--autoscaler", url, "--report", "r.json")

    assert ended.code == 2
    assert "give either --report REPORT.json" in ended.err


def test_an_autoscaler_that_does_not_answer_is_no_wrong_argument(tfa):
    ended = tfa("report", "--autoscaler", "http://127.0.0.1:1")

    assert ended.code == 3
    assert "connection refused" in ended.err


@pytest.fixture
def guarded(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN)
    with reported() as seen, served(seen, token=TokenFile(path)) as address:
        yield address, path


def test_a_token_is_taken_from_its_file(tfa, guarded):
    url, path = guarded

    ended = tfa("report", "--autoscaler", url, "--autoscaler-token-file", path)
    assert ended.code == 0


def test_a_token_is_taken_from_the_environment(tfa, guarded, monkeypatch):
    monkeypatch.setenv("TFA_AUTOSCALER_TOKEN", TOKEN)

    assert tfa("report", "--autoscaler", guarded[0]).code == 0


def test_without_a_token_it_is_said_how_to_give_one(tfa, guarded):
    ended = tfa("report", "--autoscaler", guarded[0])

    assert ended.code == 3
    assert "--autoscaler-token-file FILE or TFA_AUTOSCALER_TOKEN" in ended.err


@pytest.mark.parametrize(
    ("text", "said"), [("", "is empty"), ("two words\n", "no token"), (None, "No such file")]
)
def test_a_file_without_a_token_is_refused(tfa, url, tmp_path, text, said):
    path = tmp_path / "token"
    if text is not None:
        path.write_text(text)

    ended = tfa("report", "--autoscaler", url, "--autoscaler-token-file", path)
    assert ended.code == 2
    assert said in ended.err
    assert "two words" not in ended.err


def test_a_token_without_an_autoscaler_is_refused(tfa, tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN)

    ended = tfa("report", "--autoscaler-token-file", path)
    assert ended.code == 2
    assert "given without --autoscaler" in ended.err


@pytest.mark.parametrize(
    "body", [b"{}", b"[1]", b"nothing", b'{"schema":"tensorfusion-report/v9"}', b'"x"']
)
@pytest.mark.parametrize("command", [["report"], ["explain", "team/chat"]])
def test_an_answer_of_another_version_is_said_to_be_one(tfa, command, body):
    with serving(replying(body)) as address:
        ended = tfa(*command, "--autoscaler", address)

    assert ended.code == 3
    assert "is it an autoscaler of the same version?" in ended.err


def test_a_report_that_is_old_is_said_to_be_so(tfa, url):
    report = tfa("report", "--autoscaler", url, "-o", "json").out.encode()
    with serving(replying(report, Age="7200")) as address:
        ended = tfa("report", "--autoscaler", address)

    assert ended.code == 0
    assert "the report is 2 h old" in ended.err


def test_what_keeps_changes_back_is_told():
    answer = WorkloadAnswer(
        namespace="team",
        workload="chat",
        as_of_s=0,
        mode="apply",
        holds=(str(Hold.WARMING),),
        in_force=(
            InForce(
                uid="1",
                request={"tflops": 40.0},
                stated_request={"tflops": 40.0},
                start_request={"tflops": 30.0},
                replicas=3,
                stated_replicas=2,
                replicas_held="HorizontalPodAutoscaler team/chat scales it",
                workers=3,
                ready_workers=2,
                is_paused=True,
            ),
        ),
    )

    shown = live_explanation(answer)

    assert f"only raises pass: {Hold.WARMING}" in shown
    assert "tflops: request 40 TFLOPS, limit -" in shown
    assert "tflops: request 30 TFLOPS for workers that start" in shown
    assert "3 workers, 2 known to be ready" in shown
    assert "replicas 3 (stated: 2)" in shown
    assert "replicas are not set: HorizontalPodAutoscaler team/chat scales it" in shown
    assert "\n    paused\n" in shown
    assert "no report of it yet" in shown


def test_an_explanation_without_a_report_fits_no_other_format(tfa):
    answer = WorkloadAnswer(namespace="team", workload="chat", as_of_s=0, mode="apply")
    with serving(replying(orjson.dumps(answer))) as address:
        ended = tfa("explain", "team/chat", "--autoscaler", address, "-o", "md")

    assert ended.code == 3
    assert "no report of team/chat yet" in ended.err
