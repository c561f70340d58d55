"""Keys of endpoints, from Secrets of the workload's own namespace."""

import base64

import pytest

from autoscaler.errors import ApiUnavailableError, ForbiddenError, NotFoundError
from autoscaler.kube.resource import SECRETS
from autoscaler.scaling.external.api_keys import KEPT_S, ApiKeys, NoKeyError


class Secrets:
    """The API server as far as keys need it."""

    def __init__(self, **data):
        self.data = data
        self.type = "Opaque"
        self.error = None
        self.read = []

    def get(self, resource, name, namespace):
        self.read.append((resource, name, namespace))
        if self.error is not None:
            raise self.error
        data = {key: base64.b64encode(value).decode() for key, value in self.data.items()}
        metadata = {"name": name, "namespace": namespace}
        return {"metadata": metadata, "type": self.type, "data": data}


class Watch:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def keys_of(secrets, watch=None):
    return ApiKeys(secrets, monotonic_s=watch or Watch())


@pytest.mark.parametrize("field", ["apiKey", "token", "key"])
@pytest.mark.parametrize("namespace", [None, "", "team"])
def test_a_key_is_read_from_the_workloads_own_namespace(field, namespace):
    secrets = Secrets(**{field: b"s3cret\n", "other": b"x"})
    assert keys_of(secrets).key_of("team", namespace, "keys") == "s3cret"
    assert secrets.read == [(SECRETS, "keys", "team")]


def test_the_first_field_counts():
    assert keys_of(Secrets(key=b"c", token=b"b", apiKey=b"a")).key_of("team", None, "keys") == "a"


def test_another_namespace_is_refused_before_anything_is_read():
    secrets = Secrets(apiKey=b"s3cret")
    with pytest.raises(NoKeyError) as error:
        keys_of(secrets).key_of("team", "kube-system", "keys")
    assert str(error.value) == (
        "apiKeySecretRef.namespace is 'kube-system'; allowed: 'team', the namespace of the workload"
    )
    assert secrets.read == []


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (NotFoundError("404"), "Secret team/keys does not exist"),
        (ForbiddenError("403"), "a RoleBinding to the ClusterRole tensor-fusion-external-"),
        (ApiUnavailableError("503"), "the API server did not answer"),
    ],
)
def test_what_keeps_a_key_from_being_read_is_said(failure, said):
    secrets = Secrets()
    secrets.error = failure
    with pytest.raises(NoKeyError, match=said):
        keys_of(secrets).key_of("team", None, "keys")


def test_a_secret_without_a_key_names_the_fields_that_are_looked_for():
    with pytest.raises(NoKeyError, match="allowed: one of apiKey, token, key"):
        keys_of(Secrets(password=b"x")).key_of("team", None, "keys")


@pytest.mark.parametrize(
    "type_", ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"]
)
def test_a_token_of_kubernetes_itself_is_never_sent(type_):
    secrets = Secrets(token=b"of-a-service-account")
    secrets.type = type_
    with pytest.raises(NoKeyError) as error:
        keys_of(secrets).key_of("team", None, "default-token")
    assert str(error.value) == (
        f"Secret team/default-token is of type {type_}, which is never sent; allowed: Opaque"
    )


@pytest.mark.parametrize("key", [b"two words", b"line\nbreak", b"\xff", b" ", b"x" * 5000])
def test_a_key_that_would_break_the_header_is_never_sent(key):
    with pytest.raises(NoKeyError, match="visible ASCII characters") as error:
        keys_of(Secrets(apiKey=key)).key_of("team", None, "keys")
    assert "words" not in str(error.value)


def test_a_key_and_a_refusal_are_kept_for_a_short_while():
    secrets, watch = Secrets(apiKey=b"old"), Watch()
    keys = keys_of(secrets, watch)
    assert keys.key_of("team", None, "keys") == "old"
    secrets.data = {"apiKey": b"new"}
    watch.now_s = KEPT_S - 1
    assert keys.key_of("team", None, "keys") == "old"
    watch.now_s = KEPT_S
    assert keys.key_of("team", None, "keys") == "new"
    secrets.error = NotFoundError("404")
    watch.now_s = 2 * KEPT_S
    for _ in range(2):
        with pytest.raises(NoKeyError):
            keys.key_of("team", None, "keys")
    assert len(secrets.read) == 3


def test_without_an_api_server_there_is_no_key():
    with pytest.raises(NoKeyError, match="this profile has no API server"):
        ApiKeys(None).key_of("team", None, "keys")
