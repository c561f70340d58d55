"""Certificates of the webhook as data: issued, read, and verified as the API server verifies them.

An authority signs one serving certificate and its key is thrown away at once, so that nothing which
could sign another one is ever stored.  Certificates are PEM texts in one spelling, so that equal
certificates are equal texts.  When a new one is issued is ``rotation``; where they are kept is
``certificate_secret``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLOCKS_DIFFER_S = 300
"""A new certificate is valid from so long ago, for an API server whose clock is behind."""
SUBJECT = "tensor-fusion-autoscaler webhook"
_DAMAGED = (x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""What the library raises, beside ``ValueError``, of a certificate that is no good."""
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A certificate, perhaps with intermediate ones behind it, and its private key."""

    certificate: str
    """PEM text."""
    key: str = field(repr=False)
    """PEM text; in no message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A serving certificate and the authority that verifies it."""

    authority: str
    """PEM text."""
    serving: KeyPair


class Fault(StrEnum):
    """Why a serving certificate cannot be used; completes ``the certificate ...``."""

    UNREADABLE = "is not a certificate with a private key in PEM form"
    KEY_DIFFERS = "does not belong to the private key beside it"
    EXPIRED = "has expired"
    OTHER_NAME = "is not for the name of the webhook"
    UNTRUSTED = "is not verified by the authorities beside it"


def new_authority_and_serving(names: Sequence[str], *, now_s: float, lifetime_s: float) -> Issued:
    """Make an authority, let it sign one serving certificate, and forget the authority's key.

    ``names`` are the DNS names and IP addresses that clients use.  Both are valid from
    ``CLOCKS_DIFFER_S`` before ``now_s`` (UTC seconds) until ``lifetime_s`` after it.
    """
    authority_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    # Each authority has a name of its own, so that a chain is found by the name alone.
    issuer = _named(f"{SUBJECT} CA {identifier.digest.hex()[:12]}")
    first, last = now_s - CLOCKS_DIFFER_S, now_s + lifetime_s
    authority = (
        _builder(issuer, issuer, authority_key.public_key(), first, last)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    serving = (
        _builder(_named(SUBJECT), issuer, key.public_key(), first, last)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .add_extension(x509.SubjectAlternativeName([*map(_general, names)]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return Issued(
        authority=_pem(authority), serving=KeyPair(certificate=_pem(serving), key=_key_pem(key))
    )


def certificates_in(text: str) -> tuple[str, ...]:
    """Return the certificates of a PEM text, each once; none where one of them is damaged."""
    return tuple(dict.fromkeys(map(_pem, _parsed(text))))


def leaf_of(text: str) -> str:
    """Return the first certificate of a PEM text; empty where there is none."""
    return next(iter(certificates_in(text)), "")


def fingerprint(certificate: str) -> str:
    """Return the SHA-256 of a certificate in hexadecimal digits."""
    return x509.load_pem_x509_certificate(certificate.encode()).fingerprint(hashes.SHA256()).hex()


def validity_s(certificate: str) -> tuple[float, float]:
    """Return the first and the last moment of a certificate, in UTC seconds."""
    parsed = x509.load_pem_x509_certificate(certificate.encode())
    return parsed.not_valid_before_utc.timestamp(), parsed.not_valid_after_utc.timestamp()


def unexpired(certificates: Iterable[str], now_s: float) -> tuple[str, ...]:
    """Return those that are not past their end, each once, in their order."""
    return tuple(text for text in dict.fromkeys(certificates) if validity_s(text)[1] > now_s)


def fault_of(
    pair: KeyPair, authorities: Sequence[str], server_name: str, now_s: float
) -> Fault | None:
    """Return why a server that serves this is not trusted under its name; None where it is.

    A certificate whose time has not come is taken as of its first moment: the clock that issued it
    was ahead of ours, and the API server has a third one.
    """
    chain = _parsed(pair.certificate)
    try:
        key = serialization.load_pem_private_key(pair.key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return Fault.UNREADABLE
    if not chain or not _is_readable(chain[0]):
        return Fault.UNREADABLE
    leaf, *between = chain
    if _public_bytes(key.public_key()) != _public_bytes(leaf.public_key()):
        return Fault.KEY_DIFFERS
    if leaf.not_valid_after_utc.timestamp() <= now_s:
        return Fault.EXPIRED
    if _is_verified(leaf, between, authorities, server_name, now_s):
        return None
    return Fault.UNTRUSTED if _is_for(leaf, server_name) else Fault.OTHER_NAME


def _is_readable(leaf: x509.Certificate) -> bool:
    """Return whether the parts of a certificate can be read, which happens when they are asked."""
    try:
        _ = leaf.public_key(), leaf.extensions
    except (ValueError, UnsupportedAlgorithm, *_DAMAGED):
        return False
    return True


def _is_verified(
    leaf: x509.Certificate,
    between: Sequence[x509.Certificate],
    authorities: Sequence[str],
    server_name: str,
    now_s: float,
) -> bool:
    if not authorities:
        return False
    at = max(datetime.fromtimestamp(now_s, UTC), leaf.not_valid_before_utc)
    store = verification.Store([x509.load_pem_x509_certificate(a.encode()) for a in authorities])
    builder = verification.PolicyBuilder().store(store).time(at)
    name = _general(server_name)
    assert isinstance(name, x509.DNSName | x509.IPAddress)
    try:
        builder.build_server_verifier(name).verify(leaf, [*between])
    except (verification.VerificationError, ValueError, *_DAMAGED):
        # A certificate behind it, or an authority, may be damaged in a way of its own.
        return False
    return True


def _is_for(leaf: x509.Certificate, server_name: str) -> bool:
    try:
        stated = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    return _general(server_name) in stated


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    first_s: float,
    last_s: float,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(first_s, UTC))
        .not_valid_after(datetime.fromtimestamp(last_s, UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in allowed for usage in _USAGES})


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _parsed(text: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except (ValueError, *_DAMAGED):
        return []


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")


def _public_bytes(key: object) -> bytes:
    assert hasattr(key, "public_bytes")
    encoded: bytes = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded
