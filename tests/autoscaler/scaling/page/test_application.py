import base64
import concurrent.futures
import difflib
import gzip
import threading
from collections import Counter

import pytest
import requests

from autoscaler.scaling.external.token_file import TokenFile
from autoscaler.scaling.holding import Hold
from autoscaler.scaling.page.application import MOST_IN_LINE
from recommender.report.jsonform import read_report
from recommender.report.page import security_policy
from tests.autoscaler.scaling.builders import view
from tests.autoscaler.scaling.page.boards import reported, served, watched
from tests.components.processes import until

TOKEN = "a-token-of-some-length"
PATHS = (
    "/",
    "/api/v1/report",
    "/api/v1/workloads/team/chat",
    "/api/v1/decisions",
    "/openapi.json",
)


def get(url, path="/", **options):
    return requests.get(url + path, timeout=30, **options)


@pytest.fixture(scope="module")
def url():
    views = (view("chat", "auto-limits"), view("search"), view("train", namespace="batch"))
    with reported(*views) as seen, served(seen) as address:
        yield address


def test_the_page_is_the_report_as_html(url):
    page = get(url)

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "GPU recommendations" in page.text
    assert "Live, mode apply: what is enrolled is changed" in page.text


def test_the_report_is_the_one_that_tfa_report_writes(url):
    report = read_report(get(url, "/api/v1/report").content)

    assert {item.name for item in report.items} == {"team/chat", "team/search", "batch/train"}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("namespace=batch", {"batch/train"}),
        ("namespace=batch&namespace=te*", {"team/chat", "team/search", "batch/train"}),
        ("workload=c*", {"team/chat"}),
        ("workload=team/*", {"team/chat", "team/search"}),
        ("pool=none", set()),
        ("severity=critical", set()),
        ("severity=warning", {"team/chat", "team/search", "batch/train"}),
    ],
)
def test_a_report_can_be_narrowed(url, query, names):
    report = read_report(get(url, f"/api/v1/report?{query}").content)

    assert {item.name for item in report.items} == names


@pytest.mark.parametrize(
    ("format_", "media", "begins"),
    [
        ("json", "application/json", "{"),
        ("jsonl", "application/jsonl; charset=utf-8", '{"schema"'),
        ("yaml", "application/yaml; charset=utf-8", "schema:"),
        ("csv", "text/csv; charset=utf-8", "namespace,"),
        ("md", "text/markdown; charset=utf-8", "#"),
        ("html", "text/html; charset=utf-8", "<!doctype html>"),
        ("table", "text/plain; charset=utf-8", "SEVERITY"),
        ("patch", "application/yaml; charset=utf-8", "#"),
        ("kustomize", "application/yaml; charset=utf-8", "#"),
    ],
)
def test_every_format_has_its_media_type(url, format_, media, begins):
    answer = get(url, f"/api/v1/report?namespace=batch&format={format_}")

    assert answer.headers["Content-Type"] == media
    assert answer.text.startswith(begins)
    assert "train" in answer.text


def test_one_workload_is_told_with_what_is_in_force_and_what_was_changed(url):
    answer = get(url, "/api/v1/workloads/team/chat").json()

    [force] = answer["in_force"]
    assert force["request"]["tflops"] == 40.0
    assert {item["identity"]["workload"] for item in answer["report"]["items"]} == {"chat"}
    [change] = answer["changes"]
    assert (change["before"], change["outcome"]) == (80.0, "applied")
    assert "demand of the last minute" in change["steps"][0]["sentence"]
    assert answer["decisions"][0]["next_limit"]["tflops"] == change["after"]


def test_a_hold_is_told_with_the_workload():
    with watched() as seen:
        seen.loop.hold, seen.holds = Hold.UNHEALTHY, ("the webhook does not answer",)
        seen.board.ask()
        seen.tick()
        with served(seen) as url:
            answer = get(url, "/api/v1/workloads/team/chat").json()

    assert answer["holds"] == [str(Hold.UNHEALTHY), "the webhook does not answer"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/v1/workloads/team/chaat", 404, ["'chaat'", "there is chat"]),
        ("/api/v1/workloads/teem/chat", 404, ["'teem'", "namespaces with workloads: team"]),
        ("/api/v1/workloads/team%2Fchat/x", 404, ["'team/chat'"]),
        ("/api/v1/workloads/batch%2F..%2Fteam/chat", 404, ["'batch/../team'"]),
        ("/api/v1/workloads/team/train", 404, ["'train' in namespace 'team'"]),
        ("/api/v1/workloads/team/*", 404, ["'*'"]),
        ("/api/v1/workloads/team", 404, ["no such path", "/api/v1/report"]),
        ("/api/v1/report?sevrity=warning", 400, ["'sevrity'", "allowed: namespace"]),
        ("/api/v1/decisions?workload=chat", 400, ["workload", "allowed: both"]),
        ("/api/v1/decisions?namespace=nobody", 404, ["'nobody'", "batch"]),
        ("/api/v1/decisions?namespace=team&workload=train", 404, ["'train'"]),
        ("/api/v1/decisions?limit=0", 400, ["limit", "allowed: whole numbers"]),
        ("/?namespace=team", 400, ["'namespace'", "allowed: no parameter"]),
        ("/metrics", 404, ["no such path"]),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_allowed(url, path, status, words):
    answer = get(url, path)

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    assert [word for word in words if word not in answer.json()["error"]] == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", PATHS)
def test_nothing_can_be_written(url, method, path):
    answer = requests.request(method, url + path, timeout=10)

    assert answer.status_code == 405
    assert answer.json()["error"] == f"{method} is not allowed here; allowed: GET, HEAD"


@pytest.mark.parametrize("path", PATHS)
def test_a_head_is_an_answer_without_its_body(url, path):
    answer = requests.head(url + path, timeout=10)

    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["ETag"] == get(url, path).headers["ETag"]


@pytest.mark.parametrize("path", PATHS)
def test_what_a_caller_has_already_is_not_sent_again(url, path):
    first = get(url, path)
    tag = first.headers["ETag"]

    again = get(url, path, headers={"If-None-Match": tag})
    other = get(url, path, headers={"If-None-Match": '"something"'})

    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert other.status_code == 200


def test_only_who_takes_gzip_gets_it(url):
    plain = get(url, headers={"Accept-Encoding": "identity"})
    packed = get(url, headers={"Accept-Encoding": "gzip"}, stream=True)

    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.raw.read()) == plain.content
    assert plain.headers["ETag"] != packed.headers["ETag"]


@pytest.mark.parametrize("path", [*PATHS, "/nothing", "/api/v1/report?format=html"])
def test_every_answer_protects_its_reader(url, path):
    headers = get(url, path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-cache, private"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_the_page_may_run_its_own_script_and_no_other(url):
    policy = get(url).headers["Content-Security-Policy"]

    assert policy == f"{security_policy()}; frame-ancestors 'none'"
    assert "unsafe" not in policy


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


def basic(password):
    return "Basic " + base64.b64encode(f"anyone:{password}".encode()).decode()


@pytest.mark.parametrize("path", PATHS)
def test_with_a_token_only_those_who_bring_it_are_answered(token_file, path):
    with reported() as seen, served(seen, token=TokenFile(token_file)) as url:
        accepted = [f"Bearer {TOKEN}", f"bearer {TOKEN}", basic(TOKEN)]
        refused = [
            "",
            TOKEN,
            "Bearer",
            f"Bearer {TOKEN}x",
            f"Bearer {TOKEN[:-1]}",
            basic(""),
            basic(f"{TOKEN}x"),
            "Basic %%%",
            "Basic",
            f"Digest {TOKEN}",
        ]

        def statuses(headers):
            return [get(url, path, headers={"Authorization": each}).status_code for each in headers]

        assert statuses(accepted) == [200] * len(accepted)
        assert statuses(refused) == [401] * len(refused)
        assert get(url, f"{path}?token={TOKEN}").status_code == 401


def test_a_refusal_says_how_a_token_is_brought_and_nothing_else(token_file):
    with reported() as seen, served(seen, token=TokenFile(token_file)) as url:
        answer = get(url, "/api/v1/workloads/team/nobody")

    assert "Authorization: Bearer TOKEN" in answer.json()["error"]
    assert "Basic" in answer.headers["WWW-Authenticate"]
    assert TOKEN not in answer.text


def test_before_the_first_tick_the_page_says_so_and_looks_again():
    with watched() as seen, served(seen, wait_s=0.05) as url:
        page = get(url)
        answer = get(url, "/api/v1/report")
        decisions = get(url, "/api/v1/decisions")

    assert page.status_code == answer.status_code == decisions.status_code == 503
    assert '<meta http-equiv="refresh"' in page.text
    assert "Nothing was decided yet" in page.text
    assert answer.json()["error"].startswith("nothing was decided yet")
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Connection"] == "close"


def test_a_process_that_does_not_lead_says_who_does_and_at_once():
    reason = "this process is a standby: <b>one</b> leads"
    with watched(absence=lambda: reason) as seen, served(seen, wait_s=60) as url:
        page, answer = get(url), get(url, "/api/v1/report")

    assert page.status_code == answer.status_code == 503
    assert "This process is a standby: &lt;b&gt;one&lt;/b&gt; leads." in page.text
    assert answer.json()["error"] == reason


def test_whoever_asks_first_waits_for_the_report_and_gets_it():
    with (
        watched() as seen,
        served(seen, wait_s=60) as url,
        concurrent.futures.ThreadPoolExecutor(3) as callers,
    ):
        waiting = [callers.submit(get, url, path) for path in ("/", "/api/v1/report")]
        until(seen.board.wants_look, what="somebody asks")
        seen.tick()
        statuses = [each.result(30).status_code for each in waiting]

    assert statuses == [200, 200]


def test_an_old_report_is_told_with_its_age_where_no_newer_one_comes():
    with reported(every_s=60.0) as seen, served(seen, wait_s=0.05) as url:
        seen.seconds[0] += 3600

        answer = get(url, "/api/v1/report")

    assert answer.status_code == 200
    assert answer.headers["Age"] == "3600"


def test_the_loop_ticks_on_while_many_readers_wait():
    with (
        watched() as seen,
        served(seen, wait_s=0.5) as url,
        concurrent.futures.ThreadPoolExecutor(80) as callers,
    ):
        waiting = [callers.submit(get, url, "/api/v1/report") for _ in range(80)]
        until(seen.board.wants_look, what="somebody asks")
        assert seen.loop.tick().errors == {}
        statuses = {each.result(30).status_code for each in waiting}

    assert statuses == {503}


def test_who_asks_for_much_at_once_is_told_to_come_again_and_the_page_is_there():
    with (
        reported() as seen,
        served(seen) as url,
        concurrent.futures.ThreadPoolExecutor(60) as callers,
    ):
        answers_now = threading.Event()
        history_of = seen.loop.records.history_of

        def slow(key):
            assert answers_now.wait(20)
            return history_of(key)

        seen.loop.records.history_of = slow
        asking = [callers.submit(get, url, "/api/v1/workloads/team/chat") for _ in range(60)]
        until(lambda: sum(each.done() for each in asking) == 60 - MOST_IN_LINE, what="some wait")
        refused = next(each for each in asking if each.done()).result()
        page = get(url)
        answers_now.set()
        statuses = Counter(each.result(30).status_code for each in asking)

    assert statuses == {200: MOST_IN_LINE, 503: 60 - MOST_IN_LINE}
    assert refused.headers["Retry-After"] == "2"
    assert refused.json()["error"] == "many answers are being made; ask again"
    assert page.status_code == 200


def test_names_like_an_unknown_one_are_looked_for_beside_the_server(monkeypatch):
    threads = []

    def looking(*_args, **_more):
        threads.append(threading.current_thread().name)
        return []

    monkeypatch.setattr(difflib, "get_close_matches", looking)
    with reported() as seen, served(seen) as url:
        missing = get(url, "/api/v1/workloads/team/chatt")

    assert missing.status_code == 404
    assert [name.startswith("asyncio_") for name in threads] == [True]


def test_a_defect_is_told_as_one_and_logged(caplog):
    with reported() as seen, served(seen) as url:

        def broken(_key):
            raise ZeroDivisionError("no luck")

        seen.loop.records.history_of = broken
        answer = get(url, "/api/v1/workloads/team/chat")

    assert answer.status_code == 500
    assert answer.json()["error"] == "a defect of the autoscaler; its log says more"
    assert "no luck" in caplog.text


def test_readers_on_many_threads_see_whole_reports(url):
    failures = []

    def read():
        for _ in range(5):
            answer = get(url, "/api/v1/report?format=csv&namespace=team")
            if answer.status_code != 200 or len(answer.text.splitlines()) != 7:
                failures.append(answer.text)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
