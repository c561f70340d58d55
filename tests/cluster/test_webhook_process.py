"""How ``tfa webhook`` starts, waits for what it needs, and ends, on a real API server."""

from __future__ import annotations

import ssl
import time
from contextlib import contextmanager

import pytest
import urllib3

from autoscaler.kube.certificates import new_authority_and_serving
from tests.autoscaler.webhook.reviews import review
from tests.cluster.webhook_process import install, start_webhook
from tests.components.processes import LOOPBACK, free_port, status_of, until


@pytest.fixture
def files(tmp_path):
    """Write a certificate and its key; return the flags that name them, and the authority."""
    issued = new_authority_and_serving([LOOPBACK], now_s=time.time(), lifetime_s=3600.0)
    chain, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    chain.write_text(issued.serving.certificate)
    key.write_text(issued.serving.key)
    return [f"--certificate-file={chain}", f"--key-file={key}"], issued.authority


@contextmanager
def started(plane, folder, *arguments):
    """Yield the process, its port and the URL of its health pages."""
    port = free_port()
    process, health_url = start_webhook(plane, folder, port=port, arguments=arguments)
    with process:
        until(lambda: status_of(f"{health_url}/healthz") == 200, what="the webhook is healthy")
        yield process, port, health_url


def readiness(health_url):
    answer = urllib3.request("GET", f"{health_url}/readyz", retries=False, timeout=5.0)
    return answer.status, answer.data.decode()


def admit(port, authority):
    """Ask for one admission on a fresh connection; None where nobody answers."""
    context = ssl.create_default_context(cadata=authority)
    with urllib3.PoolManager(ssl_context=context) as pool:
        try:
            url = f"https://{LOOPBACK}:{port}/admit/pods"
            return pool.request("POST", url, body=review(), retries=False, timeout=5.0).status
        except urllib3.exceptions.HTTPError:
            return None


def test_it_waits_for_rights_kinds_and_certificate_and_says_so(own_control_plane, tmp_path):
    with started(own_control_plane, tmp_path) as (_, port, health_url):
        until(
            lambda: "gpupools.tensor-fusion.ai are not listed yet: " in readiness(health_url)[1],
            what="it misses a kind",
        )
        status, text = readiness(health_url)
        assert status == 503
        assert "no certificate to serve with: none was found yet" in text
        assert "forbidden" in text

        install(own_control_plane)

        only = (503, "no certificate to serve with: none was found yet\n")
        until(lambda: readiness(health_url) == only, what="only the certificate is missing")
        assert admit(port, authority="") is None


def test_it_serves_with_a_certificate_of_files(control_plane, tmp_path, files):
    arguments, authority = files
    install(control_plane)
    with started(control_plane, tmp_path, *arguments) as (_, port, health_url):
        until(lambda: readiness(health_url) == (200, "ok\n"), what="the webhook is ready")

        assert admit(port, authority) == 200


def test_it_answers_for_a_while_after_it_was_asked_to_end(control_plane, tmp_path, files):
    arguments, authority = files
    install(control_plane)
    with started(control_plane, tmp_path, *arguments, "--drain=2s") as (
        process,
        port,
        health_url,
    ):
        until(lambda: readiness(health_url) == (200, "ok\n"), what="the webhook is ready")
        process.ask_to_end()
        until(lambda: readiness(health_url)[0] == 503, what="it is not ready any more")

        assert readiness(health_url)[1] == "the process is about to end\n"
        assert admit(port, authority) == 200
        assert process.wait_and_clear() == 0
        assert "Traceback" not in process.log()


def test_a_second_signal_ends_it_at_once(control_plane, tmp_path, files):
    arguments, _ = files
    with started(control_plane, tmp_path, *arguments, "--drain=1h") as (process, _, health_url):
        process.ask_to_end()
        until(lambda: "about to end" in readiness(health_url)[1], what="it drains")
        process.ask_to_end()

        assert process.wait_and_clear() != 0


def test_a_kind_that_vanishes_does_not_end_it(own_control_plane, tmp_path, files):
    arguments, authority = files
    install(own_control_plane)
    with started(own_control_plane, tmp_path, *arguments) as (process, port, health_url):
        until(lambda: readiness(health_url) == (200, "ok\n"), what="the webhook is ready")
        own_control_plane.kubectl("delete", "crd", "gpupools.tensor-fusion.ai").well()

        until(lambda: "gpupools" in process.log(), what="it notices")
        assert admit(port, authority) == 200
        assert process.is_running
