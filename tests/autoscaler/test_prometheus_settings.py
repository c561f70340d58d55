import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import UsageError
from autoscaler.prometheus_settings import URL_VARIABLE, PrometheusSettings
from autoscaler.prometheus_table import PROMETHEUS_SETTINGS
from autoscaler.prometheus_values import looks_secret
from autoscaler.settings import Settings, load_settings, settings_of
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.mapping import NameMapping
from autoscaler.sources.prometheus.mappings import AGENT, DCGM
from autoscaler.sources.prometheus.promql import Matcher

URL = "https://prometheus.example:9090/prefix"


def prometheus(environment=None, **document):
    return settings_of({"prometheus": document}, "conf/s.yaml", environment or {}).prometheus


def error_of(**document):
    with pytest.raises(UsageError) as raised:
        prometheus(**document)
    return str(raised.value)


def shown(settings):
    rows = {row.path: row for row in settings.rows()}
    return {
        path.removeprefix("prometheus."): row.value
        for path, row in rows.items()
        if path.startswith("prometheus.")
    }


PAGE = Path(__file__).parents[2] / "docs" / "prometheus.md"
EXAMPLES = [
    text
    for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    if "prometheus:" in text
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_of_the_documentation_are_accepted(text):
    assert settings_of(yaml.safe_load(text), "s.yaml").prometheus is not None


def test_without_any_setting_there_is_no_prometheus():
    assert Settings().prometheus is None
    assert settings_of({}, "s.yaml").prometheus is None
    assert load_settings(None, {}) == Settings()


def test_a_url_alone_is_enough():
    settings = prometheus(url=URL)
    assert settings == PrometheusSettings(url=URL)
    assert settings.connection == Connection(url=URL)
    assert (settings.mapping, settings.matchers) == (AGENT, ())


def test_every_setting_reaches_the_connection():
    settings = prometheus(
        url=URL,
        mapping="dcgm",
        selector={"cluster": "prod", "site": {"=~": "a|b"}},
        timeout="2m",
        connectTimeout="500ms",
        maxAnswer="1Gi",
        compression=True,
        username="me",
        passwordFile="/run/password",
        caFile="ca.pem",
        certFile="tls/cert.pem",
        keyFile="tls/key.pem",
        headers={"X-Scope-OrgID": "team-a", "X-Shard": 7},
        headerFiles={"X-Api-Key": "/run/key"},
        parameters={"db": "public", "dedup": "true"},
        proxyUrl="http://proxy:3128",
    )
    assert settings.mapping is DCGM
    assert settings.matchers == (Matcher("cluster", "prod"), Matcher("site", "a|b", "=~"))
    assert settings.connection == Connection(
        url=URL,
        query_timeout_s=120.0,
        connect_timeout_s=0.5,
        answer_bytes=2**30,
        is_compressed=True,
        basic_user="me",
        basic_password_file=Path("/run/password"),
        ca_file=Path("conf/ca.pem"),
        certificate_file=Path("conf/tls/cert.pem"),
        key_file=Path("conf/tls/key.pem"),
        headers={"X-Scope-OrgID": "team-a", "X-Shard": "7"},
        header_files={"X-Api-Key": Path("/run/key")},
        parameters={"db": "public", "dedup": "true"},
        proxy_url="http://proxy:3128",
    )


def test_a_token_and_an_unchecked_certificate_reach_the_connection():
    connection = prometheus(url=URL, tokenFile="/run/token", insecureSkipVerify=True).connection
    assert connection == Connection(
        url=URL, bearer_token_file=Path("/run/token"), is_verified=False
    )


def test_a_url_of_the_command_line_takes_the_rest_from_the_file():
    settings = prometheus(tokenFile="/run/token")
    assert settings.url is None
    assert settings.connection_to(URL).bearer_token_file == Path("/run/token")
    with pytest.raises(UsageError, match=r"no Prometheus is named: set prometheus\.url"):
        _ = settings.connection


def test_the_environment_wins_over_the_file(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(f"prometheus: {{url: '{URL}', mapping: dcgm}}\n")
    settings = load_settings(path, {URL_VARIABLE: "http://other:9090"})
    assert settings.prometheus == PrometheusSettings(url="http://other:9090", mapping=DCGM)
    assert settings.sources["prometheus.url"] == URL_VARIABLE
    assert settings.sources["prometheus.mapping"] == str(path)


def test_the_environment_alone_names_a_prometheus():
    assert load_settings(None, {URL_VARIABLE: URL}).prometheus == PrometheusSettings(url=URL)
    assert load_settings(None, {URL_VARIABLE: ""}).prometheus is None


def test_a_wrong_url_of_the_environment_names_the_variable():
    with pytest.raises(UsageError, match=f"^{URL_VARIABLE}: the URL 'prom:9090' "):
        load_settings(None, {URL_VARIABLE: "prom:9090"})


def test_files_are_found_beside_the_settings_file(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(
        f"prometheus: {{url: '{URL}', tokenFile: secrets/token, headerFiles: {{X-A: a}}}}\n"
    )
    connection = load_settings(path, {}).prometheus.connection
    assert connection.bearer_token_file == tmp_path / "secrets" / "token"
    assert connection.header_files == {"X-A": tmp_path / "a"}


def test_a_mapping_may_hold_names_of_ones_own():
    mapping = prometheus(url=URL, mapping={"base": "dcgm", "labels": {"worker": "pod"}}).mapping
    assert isinstance(mapping, NameMapping)
    assert mapping.labels["worker"] == ("pod",)


@pytest.mark.parametrize(
    "url", ["https://me:hunter2@prometheus", "http://p/?token=hunter2", "http://p/#hunter2"]
)
@pytest.mark.parametrize("setting", ["url", "proxyUrl"])
def test_a_url_with_a_secret_is_refused_and_not_shown(setting, url):
    text = error_of(**{"url": URL, setting: url})
    assert text.startswith(f"conf/s.yaml: prometheus.{setting}: the URL holds a ")
    assert "hunter2" not in text


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "X-Api-Key",
        "apikey",
        "X-Auth-Token",
        "X-Access-Key",
        "x-secret",
        "X-Password",
        "key",
        "X-Auth",
        "X-JWT-Assertion",
        "X-Session-Id",
        "pwd",
    ],
)
def test_a_secret_must_not_stand_in_the_file(name):
    text = error_of(url=URL, headers={name: "hunter2"}, parameters={name: "hunter2"})
    assert text.splitlines() == [
        f"conf/s.yaml: prometheus.{group}.{name}: a secret must not stand in this file; {instead}"
        for group, instead in (
            ("headers", "name a file with it in prometheus.headerFiles"),
            ("parameters", "send it as a header by prometheus.headerFiles"),
        )
    ]


@pytest.mark.parametrize("name", ["X-Scope-OrgID", "db", "dedup", "Monkey", "X-Author", "keyspace"])
def test_an_ordinary_name_is_no_secret(name):
    assert not looks_secret(name)


@pytest.mark.parametrize("half", [{"username": "u"}, {"passwordFile": "p"}])
def test_a_token_beside_half_of_another_credential_is_one_problem(half):
    [line] = error_of(url=URL, tokenFile="t", **half).splitlines()
    assert "exclude each other" in line


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"tokenFile": "t", "username": "u", "passwordFile": "p"}, "exclude each other"),
        ({"username": "u"}, "prometheus.username needs prometheus.passwordFile"),
        ({"passwordFile": "p"}, "prometheus.passwordFile needs prometheus.username"),
        ({"keyFile": "k"}, "prometheus.keyFile needs prometheus.certFile"),
        ({"caFile": "c", "insecureSkipVerify": True}, "insecureSkipVerify exclude each other"),
        ({"headers": {"X-A": "1"}, "headerFiles": {"x-a": "f"}}, "both set 'x-a'; give it once"),
    ],
)
def test_settings_that_contradict_one_another_are_refused(document, words):
    text = error_of(url=URL, **document)
    assert (text.startswith("conf/s.yaml: prometheus."), words in text) == (True, True)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"url": "prom:9090"}, "prometheus.url: the URL 'prom:9090' "),
        ({"url": 9090}, "prometheus.url: the URL is empty"),
        ({"mapping": "dgcm"}, "prometheus.mapping: 'dgcm' is not valid; allowed: agent"),
        ({"selector": {"cluster": 1}}, "prometheus.selector.cluster: 1 is not valid"),
        ({"selector": "cluster=prod"}, "prometheus.selector: 'cluster=prod' is not valid"),
        ({"timeout": 30}, "prometheus.timeout: 30 is not valid"),
        ({"timeout": "1h"}, "prometheus.timeout: '1h' is not valid; allowed: a duration from 1s"),
        ({"connectTimeout": "0"}, "allowed: a duration from 100ms to 1m0s"),
        ({"maxAnswer": "1Ki"}, "prometheus.maxAnswer: '1Ki' is not valid; allowed: a quantity of"),
        ({"maxAnswer": "256MB"}, "prometheus.maxAnswer: '256MB' is not valid"),
        ({"compression": "gzip"}, "prometheus.compression: 'gzip' is not valid; allowed: true or"),
        ({"insecureSkipVerify": 1}, "prometheus.insecureSkipVerify: 1 is not valid"),
        ({"tokenFile": ""}, "prometheus.tokenFile: '' is not valid; allowed: the path of a file"),
        ({"tokenFile": ["a"]}, "prometheus.tokenFile: ['a'] is not valid"),
        ({"username": "a:b", "passwordFile": "p"}, "a user name without a colon"),
        ({"username": "\ud800", "passwordFile": "p"}, "a user name without a colon"),
        ({"parameters": {"db": "\udcff"}}, "prometheus.parameters.db"),
        ({"caFile": "\ud800"}, "the path of a file"),
        ({"headers": ["X-A: b"]}, "prometheus.headers: ['X-A: b'] is not valid"),
        ({"headers": {"X-A": True}}, "prometheus.headers.X-A: True is not valid; allowed: a text"),
        ({"headers": {"X-A": "b\nc"}}, "prometheus: header 'X-A': the value is empty or holds"),
        ({"headers": {"X A": "b"}}, "prometheus: header 'X A': the name is not allowed"),
        ({"headers": {"Host": "b"}}, "prometheus: header 'Host' is set for each request"),
        ({"headerFiles": {"X-A": 1}}, "prometheus.headerFiles.X-A: 1 is not valid"),
        ({"headerFiles": "f"}, "prometheus.headerFiles: 'f' is not valid"),
        ({"parameters": {"query": "up"}}, "prometheus: parameter 'query' is set by each query"),
        ({"tokenfile": "t"}, "prometheus.tokenfile: unknown setting; did you mean prometheus.toke"),
        (
            {"password": "hunter2"},
            "prometheus.password: unknown setting; did you mean prometheus.p",
        ),
    ],
)
def test_a_wrong_value_says_what_is_allowed(document, words):
    text = error_of(**{"url": URL} | document)
    assert words in text
    assert "hunter2" not in text
    assert "\n" not in text


def test_all_problems_are_named_at_once():
    text = error_of(url="x", timeout=1, mapping={"base": 1, "labels": 2}, keyFile="k")
    assert [line.split(":")[1].strip() for line in text.splitlines()] == [
        "prometheus.mapping.base",
        "prometheus.mapping.labels",
        "prometheus.timeout",
        "prometheus.url",
        "prometheus.keyFile needs prometheus.certFile",
    ]


def test_every_setting_is_shown_with_its_default():
    assert shown(Settings()) == {
        "url": "none",
        "mapping": "agent",
        "selector": "none",
        "timeout": "1m0s",
        "connectTimeout": "5s",
        "maxAnswer": "256Mi",
        "compression": "false",
        "tokenFile": "none",
        "username": "none",
        "passwordFile": "none",
        "caFile": "none",
        "certFile": "none",
        "keyFile": "none",
        "insecureSkipVerify": "false",
        "headers": "none",
        "headerFiles": "none",
        "parameters": "none",
        "proxyUrl": "none",
    }


def test_headers_and_parameters_are_shown_by_their_names_alone():
    document = {
        "url": URL,
        "selector": {"cluster": "prod"},
        "headers": {"X-A": "hunter2", "X-B": "hunter2"},
        "headerFiles": {"X-C": "/run/c"},
        "parameters": {"db": "hunter2"},
        "insecureSkipVerify": True,
    }
    values = shown(settings_of({"prometheus": document}, "s.yaml"))
    assert (values["headers"], values["headerFiles"], values["parameters"]) == (
        "X-A, X-B",
        "X-C=/run/c",
        "db",
    )
    assert (values["selector"], values["insecureSkipVerify"]) == ('cluster="prod"', "true")
    assert "hunter2" not in repr(values)


def test_settings_hide_the_values_of_headers():
    settings = prometheus(url=URL, headers={"X-A": "hunter2"}, parameters={"db": "hunter2"})
    assert "hunter2" not in repr(settings) + str(settings)


def problems_of(document):
    try:
        settings_of({"prometheus": document}, "s.yaml").rows()
    except UsageError as error:
        return str(error).splitlines()
    return []


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [setting.path.removeprefix("prometheus.") for setting in PROMETHEUS_SETTINGS]
        ),
        ANYTHING,
        max_size=4,
    )
)
def test_whatever_stands_in_the_file_is_taken_or_refused_by_name(document):
    problems = problems_of(document)
    assert [line for line in problems[:1] if not line.startswith("s.yaml: prometheus")] == []
