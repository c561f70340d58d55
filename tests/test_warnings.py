"""Warnings are errors, but for one of Python's own that no code of ours brings about or avoids."""

from __future__ import annotations

import gc
import re
import socket
import ssl
import struct

import pytest

AT_ONCE = struct.pack("ii", 1, 0)
"""Of ``SO_LINGER``: closing resets the connection."""


def test_a_connection_that_is_reset_before_tls_begins_warns_of_nothing():
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname(), timeout=20.0)
        peer, _ = server.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        peer.close()
        # Both ends are of this machine's loopback: the reset has arrived when closing returns.
        with pytest.raises(OSError, match=r"reset|EOF|Broken pipe"):
            ssl.create_default_context().wrap_socket(client, server_hostname="localhost")
    gc.collect()


SOCKET = "fd=4, family=2, type=1, proto=6, laddr=('127.0.0.1', 1)"
OF_TLS = f"unclosed <ssl.SSLSocket {SOCKET}"


def test_any_other_socket_that_is_left_open_is_an_error(pytestconfig):
    _, ignored = pytestconfig.getini("filterwarnings")
    _, message, category = ignored.split(":")
    assert category == "ResourceWarning"
    assert re.match(message, f"{OF_TLS}>")
    assert not re.match(message, f"{OF_TLS}, raddr=('127.0.0.1', 2)>")
    assert not re.match(message, f"unclosed <socket.socket {SOCKET}>")
