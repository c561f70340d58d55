import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.api.names import (
    CERTIFICATE_SECRET,
    NAMESPACE,
    SERVING_FINGERPRINT,
    SERVING_SINCE,
)
from autoscaler.kube.certificate_secret import (
    StoredCertificates,
    read_stored,
    secret_with,
)
from autoscaler.kube.certificates import KeyPair, new_authority_and_serving

NOW_S = 1_800_000_000.0
ISSUED = [new_authority_and_serving(["a.b.svc"], now_s=NOW_S, lifetime_s=1000) for _ in range(3)]
pairs = st.sampled_from([new.serving for new in ISSUED])


@st.composite
def stored_certificates(draw):
    serving = draw(st.none() | pairs)
    since = st.none() | st.integers(0, 4_000_000_000).map(float)
    return StoredCertificates(
        authorities=tuple(
            draw(st.lists(st.sampled_from([new.authority for new in ISSUED]), unique=True))
        ),
        serving=serving,
        following=draw(st.none() | pairs),
        serving_since_s=draw(since) if serving else None,
    )


def encoded(text):
    return base64.b64encode(text.encode()).decode()


@given(stored=stored_certificates())
def test_what_is_written_is_read_again(stored):
    assert read_stored(secret_with(None, stored)) == stored


@given(before=stored_certificates(), stored=stored_certificates())
def test_what_is_written_over_something_else_is_read_again(before, stored):
    secret = secret_with(secret_with(None, before), stored)
    read = read_stored(secret)
    assert (read.authorities, read.following) == (stored.authorities, stored.following)
    assert read.serving == (stored.serving or before.serving)


def test_an_absent_secret_holds_nothing():
    assert read_stored(None) == StoredCertificates()
    assert read_stored({"metadata": {"name": "x"}, "data": None}) == StoredCertificates()


def test_a_new_secret_has_name_namespace_and_kind():
    secret = secret_with(None, StoredCertificates(), namespace="elsewhere")
    assert secret["metadata"] == {"name": CERTIFICATE_SECRET, "namespace": "elsewhere"}
    assert (secret["apiVersion"], secret["kind"], secret["type"]) == ("v1", "Secret", "Opaque")


def test_what_others_wrote_into_the_secret_stays():
    before = {
        "type": "kubernetes.io/tls",
        "metadata": {
            "name": CERTIFICATE_SECRET,
            "namespace": NAMESPACE,
            "resourceVersion": "7",
            "labels": {"team": "a"},
            "annotations": {"note": "b"},
        },
        "data": {"other": encoded("c"), "next.crt": encoded("d")},
    }
    stored = StoredCertificates(serving=ISSUED[0].serving, serving_since_s=NOW_S)
    secret = secret_with(before, stored)
    assert secret["type"] == "kubernetes.io/tls"
    assert secret["metadata"]["labels"] == {"team": "a"}
    assert secret["metadata"]["resourceVersion"] == "7"
    assert secret["metadata"]["annotations"]["note"] == "b"
    assert secret["metadata"]["annotations"][SERVING_SINCE] == "2027-01-15T08:00:00Z"
    assert {*secret["data"]} == {"other", "ca.crt", "tls.crt", "tls.key"}
    assert before["data"].keys() == {"other", "next.crt"}


@pytest.mark.parametrize("broken", ["%", "AAA", encoded("no certificate"), "/w==", None])
def test_broken_content_is_as_good_as_none(broken):
    read = read_stored({"data": {"ca.crt": broken, "tls.crt": broken, "tls.key": "AAA"}})
    assert (read.authorities, read.serving) == ((), None)


def test_notes_about_another_certificate_do_not_count():
    stored = StoredCertificates(serving=ISSUED[0].serving, serving_since_s=NOW_S)
    secret = secret_with(None, stored)
    secret["data"]["tls.crt"] = encoded(ISSUED[1].serving.certificate)
    assert read_stored(secret).serving_since_s is None


@pytest.mark.parametrize("since", ["", "yesterday", "2027-01-15T08:00:00"])
def test_a_time_that_cannot_be_understood_does_not_count(since):
    stored = StoredCertificates(serving=ISSUED[0].serving, serving_since_s=NOW_S)
    secret = secret_with(None, stored)
    assert SERVING_FINGERPRINT in secret["metadata"]["annotations"]
    secret["metadata"]["annotations"][SERVING_SINCE] = since
    assert read_stored(secret).serving_since_s is None


def test_an_unreadable_pair_is_kept_as_it_was_read():
    secret = {"data": {"tls.crt": encoded("x"), "tls.key": encoded("y")}}
    assert read_stored(secret).serving == KeyPair(certificate="x", key="y")


def test_no_key_is_shown():
    shown = repr(StoredCertificates(serving=ISSUED[0].serving, following=ISSUED[1].serving))
    assert "PRIVATE" not in shown
