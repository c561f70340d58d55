import pytest

from autoscaler.errors import ForbiddenError, UsageError
from autoscaler.kube.access import RENEW_EVERY_S, Access, access_from_environment
from tests.autoscaler.kube.kubeconfigs import SECRET, credential, exec_plugin, kubeconfig
from tests.autoscaler.sources.prometheus.certificates import Authority


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """Have neither a kubeconfig nor a pod around the test."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def usage_error(path, context=None):
    with pytest.raises(UsageError) as caught:
        access_from_environment(path, context)
    return str(caught.value)


def test_the_file_that_is_named_comes_first(tmp_path, monkeypatch):
    named = kubeconfig(tmp_path / "named", url="https://named:1")
    other = kubeconfig(tmp_path / "other", url="https://other:1")
    monkeypatch.setenv("KUBECONFIG", str(other))

    assert access_from_environment(named, None).url == "https://named:1"
    assert access_from_environment(None, None).url == "https://other:1"


def test_the_usual_place_is_looked_at_where_nothing_is_named(tmp_path):
    (tmp_path / "home" / ".kube").mkdir(parents=True)
    kubeconfig(tmp_path / "home" / ".kube" / "config", url="https://usual:1/")

    assert access_from_environment(None, None).url == "https://usual:1"


def test_several_files_are_merged_and_one_may_be_missing(tmp_path, monkeypatch):
    first = kubeconfig(tmp_path / "first", url="https://first:1", context="one")
    second = kubeconfig(tmp_path / "second", url="https://second:1", context="two")
    monkeypatch.setenv("KUBECONFIG", f"{first}:{tmp_path / 'none'}:{second}")

    assert access_from_environment(None, "one").url == "https://first:1"


def test_where_nothing_is_found_it_is_said_what_was_looked_for():
    assert usage_error(None) == (
        "no API server is named: --kubeconfig is not given, the variable KUBECONFIG is not set, "
        "there is no file ~/.kube/config, and this is no pod (KUBERNETES_SERVICE_HOST is not set)"
    )


def test_a_missing_file_is_named_with_what_names_it(tmp_path, monkeypatch):
    path = tmp_path / "none"

    assert usage_error(path) == f"kubeconfig {path}: there is no such file; --kubeconfig names it"
    monkeypatch.setenv("KUBECONFIG", str(path))
    assert "the variable KUBECONFIG names it" in usage_error(None)


def test_an_unknown_context_is_named(tmp_path):
    path = kubeconfig(tmp_path / "config")

    assert "Expected object with name other in" in usage_error(path, "other")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "file is empty"),
        ("a: [", "no YAML in line 1"),
        ("a: b", "Expected key current-context"),
        ("[]", "it is not of the form of a kubeconfig"),
        ("just words", "it is not of the form of a kubeconfig"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path, text, said):
    path = tmp_path / "config"
    path.write_text(text, encoding="utf-8")

    found = usage_error(path)

    assert found.startswith(f"kubeconfig {path}: ")
    assert said in found


def test_an_error_never_quotes_what_a_kubeconfig_holds(tmp_path):
    provider = {"name": "oidc", "config": {"refresh-token": SECRET}}
    path = kubeconfig(tmp_path / "config", **{"auth-provider": provider})

    found = usage_error(path)

    assert "Expected key id-token" in found
    assert SECRET not in found


def test_a_certificate_file_that_is_missing_is_named(tmp_path):
    path = kubeconfig(tmp_path / "config", cluster={"certificate-authority": "/none/ca.crt"})

    assert usage_error(path) == f"kubeconfig {path}: File does not exist: /none/ca.crt"


def test_a_token_file_that_is_missing_is_named(tmp_path):
    path = kubeconfig(tmp_path / "config", tokenFile="/none/token")

    assert usage_error(path) == f"kubeconfig {path}: /none/token: No such file or directory"


def test_acting_as_somebody_else_is_refused_and_not_forgotten(tmp_path):
    path = kubeconfig(tmp_path / "config", token=SECRET, **{"as": "alice", "as-groups": ["x"]})

    assert "the user 'u' acts as another one (as, as-groups), which is not supported" in (
        usage_error(path)
    )


def test_a_pod_without_its_account_says_so(monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")

    assert usage_error(None) == "Service token file does not exist."


def test_a_context_has_no_meaning_in_a_pod(monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    assert usage_error(None, "other") == (
        "context 'other': there is no kubeconfig to look it up in"
    )


def test_credentials_are_in_no_representation(tmp_path):
    login = access_from_environment(kubeconfig(tmp_path / "config", token=SECRET), None).login()

    assert login.authorization == f"Bearer {SECRET}"
    assert SECRET not in repr(login)
    assert not login.is_anonymous


def test_who_has_neither_token_nor_certificate_is_anonymous(tmp_path):
    assert access_from_environment(kubeconfig(tmp_path / "config"), None).login().is_anonymous


def test_a_token_that_cannot_be_sent_is_not_quoted(tmp_path):
    access = access_from_environment(kubeconfig(tmp_path / "config", token=f"{SECRET}\nx"), None)

    with pytest.raises(ForbiddenError) as caught:
        access.login()
    assert "the token holds letters that no token has" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_refused_token_is_read_anew_from_its_file(tmp_path):
    token = tmp_path / "token"
    token.write_text("old\n", encoding="utf-8")
    access = access_from_environment(kubeconfig(tmp_path / "config", tokenFile=str(token)), None)
    old = access.login()
    token.write_text("new\n", encoding="utf-8")

    new = access.renewed(old)

    assert (old.authorization, new.authorization) == ("Bearer old", "Bearer new")
    assert access.login().authorization == "Bearer new"


def test_whoever_comes_late_with_the_old_token_gets_the_new_one(tmp_path):
    token = tmp_path / "token"
    token.write_text("old", encoding="utf-8")
    access = access_from_environment(kubeconfig(tmp_path / "config", tokenFile=str(token)), None)
    old = access.login()
    token.write_text("new", encoding="utf-8")

    found = [access.renewed(old).authorization, access.renewed(old).authorization]

    assert found == ["Bearer new", "Bearer new"]


def test_refusals_do_not_run_a_plug_in_again_and_again(tmp_path):
    runs = tmp_path / "runs"
    plugin = exec_plugin(tmp_path / "plug-in", f"echo run >> {runs}; echo '{credential('same')}'")
    path = kubeconfig(tmp_path / "config", exec=plugin)
    now_s = [0.0]
    access = _access_of(path, now_s)
    login = access.login()

    found = [access.renewed(login), access.renewed(login)]
    now_s[0] = RENEW_EVERY_S
    found.append(access.renewed(login))

    assert found == [None, None, None]
    assert len(runs.read_text(encoding="utf-8").splitlines()) == 3


def test_a_certificate_that_was_written_anew_under_its_name_is_read_anew(tmp_path):
    first = Authority(tmp_path, "first").issue("client")
    names = dict(zip(("client-certificate", "client-key"), map(str, first), strict=True))
    now_s = [0.0]
    access = _access_of(kubeconfig(tmp_path / "config", **names), now_s)
    old = access.login()
    assert access.renewed(old) is None
    for path, newer in zip(first, Authority(tmp_path, "second").issue("client"), strict=True):
        newer.replace(path)

    now_s[0] = RENEW_EVERY_S
    assert access.renewed(old).pool is not old.pool


def test_a_certificate_that_is_gone_meanwhile_is_no_traceback(tmp_path):
    certificate, key = Authority(tmp_path).issue("client")
    names = {"client-certificate": str(certificate), "client-key": str(key)}
    access = access_from_environment(kubeconfig(tmp_path / "config", **names), None)
    login = access.login()
    key.unlink()

    with pytest.raises(ForbiddenError, match=f"credentials refused: .*{key.name}"):
        access.renewed(login)


def test_a_configuration_that_broke_meanwhile_is_no_traceback(tmp_path):
    path = kubeconfig(tmp_path / "config", token=SECRET)
    access = access_from_environment(path, None)
    login = access.login()
    path.write_text("a: [", encoding="utf-8")

    with pytest.raises(ForbiddenError, match="credentials refused: no YAML in line 1"):
        access.renewed(login)


def _access_of(path, now_s):
    from kubernetes.config import load_kube_config

    def load(configuration):
        load_kube_config(str(path), client_configuration=configuration)

    return Access(load, monotonic_s=lambda: now_s[0])
