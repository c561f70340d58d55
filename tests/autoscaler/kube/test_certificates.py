import ipaddress
import ssl
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.kube.certificates import (
    CLOCKS_DIFFER_S,
    Fault,
    KeyPair,
    certificates_in,
    fault_of,
    fingerprint,
    leaf_of,
    new_authority_and_serving,
    unexpired,
    validity_s,
)
from tests.autoscaler.kube.certificate_chains import chain_of_three

NOW_S = 1_800_000_000.0
LIFETIME_S = 1000.0
NAME = "webhook.system.svc"


def issued(*names, now_s=NOW_S):
    return new_authority_and_serving(names or (NAME,), now_s=now_s, lifetime_s=LIFETIME_S)


ISSUED = issued()


def extension(pem, kind):
    return x509.load_pem_x509_certificate(pem.encode()).extensions.get_extension_for_class(kind)


def test_a_certificate_is_trusted_for_each_of_its_names_and_for_no_other():
    names = (NAME, f"{NAME}.cluster.local", "127.0.0.1", "::1")
    new = issued(*names)
    assert [fault_of(new.serving, [new.authority], name, NOW_S) for name in names] == [None] * 4
    others = ("other.system.svc", "127.0.0.2", "localhost", f"a.{NAME}")
    for name in others:
        assert fault_of(new.serving, [new.authority], name, NOW_S) is Fault.OTHER_NAME


def test_an_authority_may_sign_server_certificates_and_nothing_above_them():
    authority = issued().authority
    constraints = extension(authority, x509.BasicConstraints)
    usage = extension(authority, x509.KeyUsage)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (
        True,
        True,
        0,
    )
    assert (usage.critical, usage.value.key_cert_sign, usage.value.digital_signature) == (
        True,
        True,
        False,
    )


def test_a_serving_certificate_is_good_for_serving_alone():
    serving = issued(NAME, "10.0.0.1").serving.certificate
    constraints = extension(serving, x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    assert list(extension(serving, x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    assert list(extension(serving, x509.SubjectAlternativeName).value) == [
        x509.DNSName(NAME),
        x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
    ]


def test_keys_are_on_the_curve_p256_and_serial_numbers_differ():
    first, second = issued(), issued()
    parsed = [
        x509.load_pem_x509_certificate(text.encode())
        for new in (first, second)
        for text in (new.authority, new.serving.certificate)
    ]
    assert {certificate.public_key().curve.name for certificate in parsed} == {"secp256r1"}
    assert len({certificate.serial_number for certificate in parsed}) == 4
    assert len({certificate.issuer for certificate in parsed}) == 2


def test_no_key_but_that_of_the_serving_certificate_is_handed_out_and_none_is_shown():
    new = issued()
    key = serialization.load_pem_private_key(new.serving.key.encode(), password=None)
    signed = x509.load_pem_x509_certificate(new.authority.encode()).public_key()
    assert key.public_key() != signed
    assert "PRIVATE" not in repr(new)


def test_it_is_valid_from_a_little_before_now_until_its_lifetime_is_over():
    new = issued()
    expected = (NOW_S - CLOCKS_DIFFER_S, NOW_S + LIFETIME_S)
    assert (validity_s(new.authority), validity_s(new.serving.certificate)) == (expected, expected)
    last_s = NOW_S + LIFETIME_S
    assert fault_of(new.serving, [new.authority], NAME, last_s - 1) is None
    assert fault_of(new.serving, [new.authority], NAME, last_s) is Fault.EXPIRED


def test_a_certificate_from_a_clock_that_is_ahead_of_ours_is_taken():
    new = issued()
    assert fault_of(new.serving, [new.authority], NAME, NOW_S - 10 * CLOCKS_DIFFER_S) is None


def test_only_its_own_authority_verifies_a_certificate():
    first, second = issued(), issued()
    assert fault_of(first.serving, [], NAME, NOW_S) is Fault.UNTRUSTED
    assert fault_of(first.serving, [second.authority], NAME, NOW_S) is Fault.UNTRUSTED
    both = [second.authority, first.authority]
    assert fault_of(first.serving, both, NAME, NOW_S) is None


def test_a_key_of_another_certificate_is_noticed():
    first, second = issued(), issued()
    mixed = KeyPair(certificate=first.serving.certificate, key=second.serving.key)
    assert fault_of(mixed, [first.authority], NAME, NOW_S) is Fault.KEY_DIFFERS


@given(text=st.text(max_size=40), cut=st.integers(2, 200))
def test_texts_that_are_no_certificate_or_key_are_unreadable(text, cut):
    new = issued()
    for certificate, key in (
        (text, new.serving.key),
        (new.serving.certificate[:-cut], new.serving.key),
        (new.serving.certificate, text),
        (new.serving.certificate, new.serving.key[:-cut]),
    ):
        broken = KeyPair(certificate=certificate, key=key)
        assert fault_of(broken, [new.authority], NAME, NOW_S) is Fault.UNREADABLE


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(place=st.integers(0), value=st.integers(0, 255), is_authority=st.booleans())
def test_a_certificate_that_was_damaged_anywhere_is_a_fault_or_good_and_raises_nothing(
    place, value, is_authority
):
    new = ISSUED
    damaged = damaged_at(new.authority if is_authority else new.serving.certificate, place, value)
    pair = new.serving
    if not is_authority:
        pair = KeyPair(certificate=damaged, key=pair.key)
    authorities = certificates_in(damaged) if is_authority else (new.authority,)
    assert fault_of(pair, authorities, NAME, NOW_S) in {*Fault, None}


def damaged_at(certificate, place, value):
    """Return a certificate with another byte; PEM alone is as it should be."""
    binary = bytearray(ssl.PEM_cert_to_DER_cert(certificate))
    binary[place % len(binary)] = value
    return ssl.DER_cert_to_PEM_cert(bytes(binary))


@pytest.mark.parametrize(
    ("identifier", "content"),
    [("2.5.29.17", b"\x01\x01\x00"), ("2.5.29.19", b"no DER")],
    ids=["names", "constraints"],
)
def test_a_certificate_with_an_extension_that_is_none_is_unreadable(identifier, content):
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier(identifier), content)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime.fromtimestamp(NOW_S, UTC))
        .not_valid_after(datetime.fromtimestamp(NOW_S + LIFETIME_S, UTC))
        .add_extension(odd, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    text = made.public_bytes(pem).decode()
    key_text = key.private_bytes(pem, form, serialization.NoEncryption()).decode()
    pair = KeyPair(certificate=text, key=key_text)
    assert fault_of(pair, [text], NAME, NOW_S) is Fault.UNREADABLE
    other = issued()
    assert fault_of(other.serving, [text, other.authority], NAME, NOW_S) is None


def test_certificates_are_listed_once_in_one_spelling_and_the_first_is_the_leaf():
    first, second = issued(), issued()
    text = f"a comment\n{first.authority}\r\n{second.authority}{first.authority}"
    assert certificates_in(text) == (first.authority, second.authority)
    assert leaf_of(text) == first.authority
    assert (certificates_in("nothing"), leaf_of("")) == ((), "")


def test_one_damaged_certificate_makes_a_bundle_unreadable():
    new = issued()
    lines = new.authority.splitlines(keepends=True)
    damaged = "".join((*lines[:2], *lines[3:]))
    assert certificates_in(new.authority + damaged) == ()


def test_a_fingerprint_is_that_of_the_binary_form():
    pem = issued().authority
    parsed = x509.load_pem_x509_certificate(pem.encode())
    assert fingerprint(pem) == parsed.fingerprint(hashes.SHA256()).hex()


def test_expired_certificates_are_left_out():
    old, new = issued(now_s=NOW_S - 2 * LIFETIME_S).authority, issued().authority
    assert unexpired([old, new, new], NOW_S) == (new,)


def test_a_chain_over_an_intermediate_authority_is_verified():
    root, between, pair = chain_of_three(NAME, now_s=NOW_S)
    assert fault_of(pair, [root], NAME, NOW_S) is None
    alone = KeyPair(certificate=leaf_of(pair.certificate), key=pair.key)
    assert fault_of(alone, [root], NAME, NOW_S) is Fault.UNTRUSTED
    assert between in certificates_in(pair.certificate)


@pytest.mark.parametrize("fault", Fault)
def test_faults_complete_a_sentence(fault):
    assert str(fault).startswith(("is ", "has ", "does "))
