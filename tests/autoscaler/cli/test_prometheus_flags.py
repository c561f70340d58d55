from pathlib import Path
from types import MappingProxyType

import pytest

from autoscaler.cli.prometheus_flags import PrometheusFlags, with_flags
from autoscaler.errors import UsageError
from autoscaler.prometheus_settings import PrometheusSettings
from autoscaler.sources.prometheus.mappings import DCGM, GREPTIMEDB
from autoscaler.sources.prometheus.promql import Matcher
from recommender.errors import InvalidValueError

URL = "http://prometheus:9090"


def settings(**access):
    return PrometheusSettings(
        url=URL,
        mapping=DCGM,
        matchers=(Matcher("cluster", "prod"), Matcher("region", "eu")),
        access=MappingProxyType(access),
    )


def test_without_flags_the_settings_stay():
    plain = settings(query_timeout_s=30.0)
    assert with_flags(plain, PrometheusFlags()) == plain


def test_without_settings_the_flags_are_all():
    found = with_flags(None, PrometheusFlags(url=URL, mapping="greptimedb", timeout="2m"))
    assert found.mapping is GREPTIMEDB
    assert (found.connection.url, found.connection.query_timeout_s) == (URL, 120.0)


def test_a_flag_wins_over_the_settings():
    found = with_flags(
        settings(query_timeout_s=30.0, ca_file=Path("old.pem"), is_verified=False),
        PrometheusFlags(
            url="https://other/prefix", mapping="agent", timeout="5s", ca_file=Path("new.pem")
        ),
    )
    connection = found.connection
    assert connection.url == "https://other/prefix"
    assert found.mapping.name == "agent"
    assert (connection.query_timeout_s, connection.ca_file) == (5.0, Path("new.pem"))
    assert connection.is_verified


def test_a_selector_replaces_the_settings_of_its_label_alone():
    found = with_flags(settings(), PrometheusFlags(selectors=("cluster=test=1", "team=a")))
    assert found.matchers == (
        Matcher("region", "eu"),
        Matcher("cluster", "test=1"),
        Matcher("team", "a"),
    )


def test_a_token_of_a_flag_replaces_a_password_of_the_settings():
    found = with_flags(
        settings(basic_user="me", basic_password_file=Path("password")),
        PrometheusFlags(token_file=Path("token")),
    )
    assert found.connection.bearer_token_file == Path("token")
    assert found.connection.basic_user is None


def test_headers_are_added_and_replace_those_of_the_same_name():
    found = with_flags(
        settings(
            headers=MappingProxyType({"X-Kept": "1", "X-Scope-OrgID": "old"}),
            header_files=MappingProxyType({"X-Secret": Path("old")}),
        ),
        PrometheusFlags(
            headers=("x-scope-orgid: team: a", "X-More:  2 "), header_files=("x-secret=new",)
        ),
    )
    connection = found.connection
    assert dict(connection.headers) == {"X-Kept": "1", "x-scope-orgid": "team: a", "X-More": "2"}
    assert dict(connection.header_files) == {"x-secret": Path("new")}


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-Api-Key", "X-Auth-Token"])
def test_a_header_that_is_a_secret_is_refused_without_being_shown(name):
    with pytest.raises(UsageError) as raised:
        with_flags(None, PrometheusFlags(headers=(f"{name}: hunter2",)))
    assert f"--prometheus-header-file {name}=FILE" in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (PrometheusFlags(url="prometheus:9090"), "--prometheus-url: the URL"),
        (PrometheusFlags(mapping="prom"), "--prometheus-mapping: 'prom' is not valid"),
        (PrometheusFlags(headers=("X-Scope-OrgID",)), "allowed: 'NAME: VALUE'"),
        (PrometheusFlags(header_files=("X-Secret",)), "allowed: NAME=FILE"),
        (PrometheusFlags(timeout="soon"), "--timeout"),
        (PrometheusFlags(timeout="1h"), "--timeout: '1h' is not valid; allowed: a duration from"),
        (
            PrometheusFlags(header_files=("Authorization: Basic c2VjcmV0=",)),
            "--prometheus-header-file: a value is not valid; allowed: NAME=FILE",
        ),
        (PrometheusFlags(selectors=("prod",)), "--selector: 'prod' is not valid; allowed: LABEL="),
    ],
)
def test_wrong_flags_are_named_with_what_is_allowed(flags, words):
    with pytest.raises((UsageError, InvalidValueError)) as raised:
        with_flags(None, flags)
    assert words in str(raised.value)


def test_a_password_in_a_url_is_refused_and_not_shown():
    with pytest.raises(UsageError, match=r"--prometheus-url: .*password") as raised:
        with_flags(None, PrometheusFlags(url="http://me:hunter2@prometheus:9090"))
    assert "hunter2" not in str(raised.value)


def test_given_names_the_flags():
    assert PrometheusFlags().given == []
    flags = PrometheusFlags(url=URL, selectors=("a=b",), ca_file=Path("x"))
    assert flags.given == ["--prometheus-url", "--ca-file", "--selector"]
