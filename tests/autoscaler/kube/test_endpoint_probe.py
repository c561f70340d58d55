"""Against real TLS servers on the loopback."""

import socket
import ssl
import threading
import time
from contextlib import contextmanager

import pytest

from autoscaler.kube.certificates import leaf_of, new_authority_and_serving
from autoscaler.kube.endpoint_probe import Probe, probe_all, probe_endpoint
from tests.autoscaler.kube.certificate_chains import chain_of_three
from tests.components.processes import LOOPBACK, free_port

NAME = "webhook.system.svc"


def issued(*names, lifetime_s=1000.0, now_s=None):
    now_s = time.time() if now_s is None else now_s
    return new_authority_and_serving(names or (NAME,), now_s=now_s, lifetime_s=lifetime_s)


@contextmanager
def serving(pair, folder):
    """Serve TLS handshakes with a certificate until the end of the block."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (folder / "certificate").write_text(pair.certificate, encoding="ascii")
    (folder / "key").write_text(pair.key, encoding="ascii")
    context.load_cert_chain(folder / "certificate", folder / "key")
    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener, context))
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def answer(listener, context):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                continue


def probe(endpoint, *trusted, name=NAME, timeout_s=3.0):
    return probe_endpoint(endpoint, server_name=name, trusted=trusted, timeout_s=timeout_s)


def test_what_is_served_and_verified_is_returned(tmp_path):
    new, other = issued(), issued()
    with serving(new.serving, tmp_path) as endpoint:
        assert probe(endpoint, other.authority, new.authority) == Probe(
            endpoint=endpoint, served=new.serving.certificate
        )


def test_an_address_is_verified_like_a_name(tmp_path):
    new = issued(LOOPBACK)
    with serving(new.serving, tmp_path) as endpoint:
        assert probe(endpoint, new.authority, name=LOOPBACK).served is not None


def test_the_strictest_verification_takes_it_too(tmp_path):
    new = issued()
    context = ssl.create_default_context(cadata=new.authority)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        serving(new.serving, tmp_path) as endpoint,
        socket.create_connection(endpoint) as connection,
        context.wrap_socket(connection, server_hostname=NAME) as secured,
    ):
        assert secured.version() == "TLSv1.3"


@pytest.mark.parametrize(
    ("new", "trusted", "words"),
    [
        (issued(), issued().authority, "not verified"),
        (issued("other.system.svc"), None, "not verified: Hostname mismatch"),
        (issued(now_s=1_500_000_000), None, "not verified: certificate has expired"),
        (issued(), "", "no authority is known"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_none_and_the_reason_is_told(
    new, trusted, words, tmp_path
):
    authority = new.authority if trusted is None else trusted
    with serving(new.serving, tmp_path) as endpoint:
        seen = probe(endpoint, *filter(None, [authority]))
    assert (seen.served, words in seen.error) == (None, True)


def test_an_intermediate_authority_of_the_bundle_is_enough(tmp_path):
    # The API server takes it as well; its root is not known here.
    _, between, pair = chain_of_three(NAME, now_s=time.time())
    with serving(pair, tmp_path) as endpoint:
        assert probe(endpoint, between).served == leaf_of(pair.certificate)


def test_a_server_without_a_certificate_yet_is_told_in_words():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener, context))
        thread.start()
        seen = probe(listener.getsockname(), issued().authority)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert seen.error == "no TLS connection: sslv3 alert handshake failure"


def test_nobody_at_an_address_is_an_answer_too():
    endpoint = (LOOPBACK, free_port())
    assert probe(endpoint, issued().authority).error == "Connection refused"


@pytest.mark.parametrize(
    ("host", "trusted", "words"),
    [
        ("a" * 64, issued().authority, "label too long"),
        (LOOPBACK, "no PEM", "no start line"),
    ],
    ids=["a name that no host has", "an authority that is none"],
)
def test_what_cannot_even_be_tried_is_told_as_well(host, trusted, words):
    seen = probe((host, 1), trusted)
    assert (seen.served, words in seen.error) == (None, True), seen.error


def test_who_takes_the_connection_and_says_nothing_is_given_up():
    with socket.create_server((LOOPBACK, 0)) as listener:
        seen = probe(listener.getsockname(), issued().authority, timeout_s=0.1)
    assert (seen.served, "timed out" in seen.error) == (None, True)


def test_several_are_probed_and_answered_in_their_order(tmp_path):
    new = issued()
    with serving(new.serving, tmp_path) as endpoint:
        nobody = (LOOPBACK, free_port())
        order = [nobody, endpoint, nobody]
        probes = probe_all(order, server_name=NAME, trusted=[new.authority])
    assert [probe.endpoint for probe in probes] == order
    assert [probe.served is not None for probe in probes] == [False, True, False]


def test_no_endpoints_are_no_probes():
    assert probe_all([], server_name=NAME, trusted=[]) == ()
