import socket
import ssl
import threading
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from autoscaler.kube.certificates import new_authority_and_serving
from autoscaler.webhook import serving_certificate
from autoscaler.webhook.serving_certificate import ServingCertificate

NOW_S = 1_900_000_000.0
DAY_S = 86_400.0


def pair(*, now_s=NOW_S, lifetime_s=DAY_S, name="localhost"):
    issued = new_authority_and_serving([name], now_s=now_s, lifetime_s=lifetime_s)
    return issued.serving.certificate.encode(), issued.serving.key.encode()


def self_signed(kind):
    key = (
        rsa.generate_private_key(65537, 2048)
        if kind == "rsa"
        else ec.generate_private_key(ec.SECP256R1())
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, kind)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.fromtimestamp(NOW_S, UTC))
        .not_valid_after(datetime.fromtimestamp(NOW_S + DAY_S, UTC))
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    pem = serialization.Encoding.PEM
    return made.public_bytes(pem), key.private_bytes(pem, form, serialization.NoEncryption())


def certificate(now_s=NOW_S):
    return ServingCertificate(lambda: now_s)


def served_by(context):
    """Return the certificate (DER) that a handshake with the context shows."""
    ours, theirs = socket.socketpair()

    def accept():
        with context.wrap_socket(ours, server_side=True):
            pass

    thread = threading.Thread(target=accept)
    thread.start()
    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    with theirs, client.wrap_socket(theirs) as secured:
        shown = secured.getpeercert(binary_form=True)
    thread.join()
    return shown


def der(chain):
    return ssl.PEM_cert_to_DER_cert(chain.decode())


def test_there_is_none_at_first_and_the_reason_is_said():
    new = certificate()

    assert not new.arrived.is_set()
    assert new.problems() == ("no certificate to serve with: none was found yet",)
    assert new.snapshot().expires_s is None


def test_a_certificate_is_served_and_its_end_is_known():
    new = certificate()
    chain, key = pair()

    assert new.offer(chain, key)

    assert served_by(new.context) == der(chain)
    assert new.arrived.is_set()
    assert new.problems() == ()
    assert new.snapshot().expires_s == NOW_S + DAY_S


def test_a_later_certificate_takes_its_place_in_the_same_context():
    new = certificate()
    new.offer(*pair())
    context, (chain, key) = new.context, pair()

    new.offer(chain, key)

    assert new.context is context
    assert served_by(context) == der(chain)
    assert new.snapshot().loads == 2


@pytest.mark.parametrize("kinds", [("ec", "rsa"), ("rsa", "ec")])
def test_a_certificate_with_another_kind_of_key_takes_its_place(kinds):
    new = certificate()

    for chain, key in map(self_signed, kinds):
        assert new.offer(chain, key)
        assert served_by(new.context) == der(chain)


def test_the_same_certificate_again_is_not_loaded_again():
    new = certificate()
    same = pair()
    new.offer(*same)

    assert new.offer(*same)
    assert new.snapshot().loads == 1


@pytest.mark.parametrize(
    ("offered", "problem"),
    [
        ((pair()[0], pair()[1]), "chain and key do not fit"),
        ((b"", pair()[1]), "the chain holds no certificate in PEM"),
        ((b"no PEM", b"no PEM"), "the chain holds no certificate in PEM"),
        ((pair()[0], b""), "chain and key do not fit or are no PEM"),
        (pair(now_s=NOW_S - 3 * DAY_S), "it ended at 2030-03-15T17:46:40Z"),
    ],
    ids=["another key", "no chain", "no PEM", "no key", "ended"],
)
def test_what_cannot_be_served_with_leaves_the_one_before(offered, problem):
    new = certificate()
    chain, key = pair()
    new.offer(chain, key)

    assert not new.offer(*offered)

    assert served_by(new.context) == der(chain)
    assert new.problems() == ()
    counts = new.snapshot()
    assert (counts.loads, counts.refusals) == (1, 1)
    assert problem in counts.problem


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_a_password():
    chain, key = pair()
    secret = serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    new = certificate()

    assert not new.offer(chain, secret)
    assert new.problems() == (
        "no certificate to serve with: the key is encrypted; an unencrypted one is needed",
    )


def test_a_good_certificate_ends_the_problem():
    new = certificate()
    new.refuse("the Secret lacks tls.key")
    new.offer(*pair())

    assert new.snapshot().problem == ""


def test_a_certificate_that_has_ended_is_a_problem():
    now_s = [NOW_S]
    new = ServingCertificate(lambda: now_s[0])
    new.offer(*pair())
    now_s[0] += 2 * DAY_S

    assert new.problems() == ("the certificate ended at 2030-03-18T17:46:40Z",)


def test_a_problem_that_goes_on_is_logged_once(caplog):
    new = certificate()
    new.refuse("the Secret was deleted")
    new.refuse("the Secret was deleted")

    assert [record.getMessage() for record in caplog.records] == [
        "the certificate cannot be used (the Secret was deleted); there is none to serve with"
    ]


def test_no_key_is_left_in_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(serving_certificate, "MEMORY_FOLDER", tmp_path)
    new = certificate()

    assert new.offer(*pair())
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_a_file_system_in_memory_can_serve(tmp_path, monkeypatch):
    monkeypatch.setattr(serving_certificate, "MEMORY_FOLDER", tmp_path / "missing")

    assert certificate().offer(*pair())
