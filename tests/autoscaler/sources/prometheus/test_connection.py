from pathlib import Path

import pytest

from autoscaler.errors import UsageError
from autoscaler.sources.prometheus.connection import Connection, connection_problem

URL = "http://prometheus:9090"


@pytest.mark.parametrize(
    "url",
    [
        "http://prometheus:9090",
        "https://thanos.example.org",
        "http://greptime:4000/v1/prometheus/",
        "http://[::1]:9090/prefix",
        "https://api:6443/api/v1/namespaces/monitoring/services/prometheus:9090/proxy",
        "http://mimir/prometheus/api/v1/tenant-a",
    ],
)
def test_an_address_of_a_server_has_no_problem(url):
    assert connection_problem(url) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "the URL is empty or holds blanks"),
        ("http://prometheus :9090", "the URL is empty or holds blanks"),
        ("http://prometheus\n", "the URL is empty or holds blanks"),
        ("http://prömetheus", "more than ASCII"),
        ("prometheus:9090", "the URL 'prometheus:9090' lacks http:// or https://"),
        ("ftp://prometheus", "lacks http:// or https://"),
        ("http://", "names no host"),
        ("http://:9090", "names no host"),
        ("http://prometheus:0", "a port is a number from 1 to 65535"),
        ("http://prometheus:99999", "a port is a number from 1 to 65535"),
        ("http://prometheus:web", "cannot be read"),
        ("http://[::1", "an IPv6 address stands in brackets"),
        ("http://prometheus?db=public", "holds a query or a fragment"),
        ("http://prometheus#top", "holds a query or a fragment"),
        ("http://prometheus:9090/api/v1/query", ": leave out /api/v1/query;"),
        ("http://mimir/prometheus/api/v1/query_range/", ": leave out /api/v1/query_range/;"),
        ("http://prometheus:9090/api/v1", ": leave out /api/v1;"),
        ("http://prometheus:9090/api/v1/write", ": leave out /api/v1/write;"),
    ],
)
def test_a_wrong_address_is_said_with_the_form_that_is_wanted(url, problem):
    said = connection_problem(url)
    assert problem in said
    assert said.endswith("; give http(s)://host[:port][/prefix]")


@pytest.mark.parametrize(
    "url",
    [
        "http://ann:hunter2@prometheus:9090",
        "http://hunter2@prometheus",
        "http://ann:hunter2@prometheus:web",
        "http://prometheus:hunter2@",
        "http://ann:hunter2%40prometheus:9090",
        "http://ann:hunter2/",
        "http://prometheus/?token=hunter2",
        "http://prometheus:9?token=hunter2",
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(url):
    assert "hunter2" not in connection_problem(url)
    with pytest.raises(UsageError) as caught:
        Connection(url=url)
    assert "hunter2" not in str(caught.value)


def test_all_problems_of_a_connection_are_said_at_once():
    with pytest.raises(UsageError) as caught:
        Connection(
            url="prometheus",
            proxy_url="proxy",
            query_timeout_s=0,
            connect_timeout_s=float("nan"),
            answer_bytes=-1,
            bearer_token_file=Path("token"),
            basic_user="a:b",
            key_file=Path("key"),
            headers={"X Org": "1", "Host": "other", "X-Twice": "1", "X-Nul": "a\0b"},
            header_files={"x-twice": Path("org"), "Authorization": Path("auth")},
            parameters={"query": "up"},
        )
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == [
        "url",
        "proxy_url",
        "query_timeout_s",
        "connect_timeout_s",
        "answer_bytes",
        "bearer_token_file and basic_user exclude each other; give one of them",
        "basic_user",
        "key_file",
        "header 'X Org'",
        "header 'Host' is set for each request and cannot be given",
        "header 'authorization' is given twice",
        "header 'x-twice' is given twice",
        "header 'X-Nul'",
        "parameter 'query' is set by each query and cannot be given",
    ]


def test_a_connection_can_be_shown_without_the_values_of_its_headers():
    connection = Connection(
        url=URL, headers={"X-Scope-OrgID": "tenant-1"}, parameters={"apikey": "hunter2"}
    )
    assert "tenant-1" not in repr(connection)
    assert "hunter2" not in repr(connection)
    assert URL in repr(connection)


def test_one_attempt_may_take_the_time_to_connect_and_that_of_the_query():
    assert Connection(url=URL).deadline_s == 65.0


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"bearer_token_file": Path("t"), "basic_user": "ann"}, "exclude each other"),
        ({"bearer_token_file": Path("t"), "basic_password_file": Path("p")}, "belong together"),
        ({"basic_user": "ann"}, "belong together"),
    ],
)
def test_half_a_credential_is_one_problem(given, problem):
    with pytest.raises(UsageError) as caught:
        Connection(url=URL, **given)
    [line] = str(caught.value).splitlines()
    assert problem in line
