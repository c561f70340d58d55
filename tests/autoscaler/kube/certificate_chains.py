"""A certificate that an intermediate authority signed, as private authorities of companies do."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from autoscaler.kube.certificates import KeyPair


def chain_of_three(name, *, now_s):
    """Return root and intermediate authority, and the pair that serves with the latter."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    names = [
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, title)])
        for title in ("root", "between", "leaf")
    ]
    pems = []
    for at in range(3):
        above = max(at - 1, 0)
        is_leaf = at == 2
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[at])
            .issuer_name(names[above])
            .public_key(keys[at].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.fromtimestamp(now_s, UTC) - timedelta(days=1))
            .not_valid_after(datetime.fromtimestamp(now_s, UTC) + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=not is_leaf, path_length=None), critical=True)
            .add_extension(usage_of(is_leaf=is_leaf), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(keys[at].public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[above].public_key()),
                critical=False,
            )
        )
        if is_leaf:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
            ).add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            )
        signed = builder.sign(keys[above], hashes.SHA256())
        pems.append(signed.public_bytes(serialization.Encoding.PEM).decode())
    root, between, leaf = pems
    key = keys[2].private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return root, between, KeyPair(certificate=leaf + between, key=key.decode())


def usage_of(*, is_leaf):
    return x509.KeyUsage(
        digital_signature=is_leaf,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not is_leaf,
        crl_sign=not is_leaf,
        encipher_only=False,
        decipher_only=False,
    )
