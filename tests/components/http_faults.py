"""Ways in which the answer of an HTTP server goes wrong, for ``FaultProxy.misbehave``."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from email.utils import formatdate

from tests.components.fault_proxy import EMPTY, JSON, Reply


def never(wire, _honest):
    """Take the request and say nothing until the server ends."""
    wire.stopped.wait(30)
    wire.close()


def trickle(step_s=0.02, *, head=False):
    """Send the honest answer a byte at a time, the body only or from the first header on."""

    def fault(wire, honest):
        reply = honest()
        if head:
            rest = b"HTTP/1.1 200 OK\r\nX-Filler: " + b"." * 60_000
        else:
            wire.head(reply.status, {**reply.headers, "Content-Length": "60000"})
            rest = reply.body + b" " * 60_000
        for byte in rest:
            wire.write(bytes([byte]))
            if wire.stopped.wait(step_s):
                break
        wire.close()

    return fault


def cut(sent_bytes, *, chunked=False, reset=False):
    """End the connection within the body."""

    def fault(wire, honest):
        reply = honest()
        framing = {"Content-Length": str(len(reply.body))}
        part = reply.body[:sent_bytes]
        if chunked:
            framing = {"Transfer-Encoding": "chunked"}
            part = b"%x\r\n%b\r\n" % (len(part), part)
        wire.head(reply.status, {**reply.headers, **framing})
        wire.write(part)
        wire.reset() if reset else wire.close()

    return fault


def hang_up(wire, _honest):
    """End the connection without an answer."""
    wire.close()


def replied(status=200, body=b"", content_type="text/plain", **headers):
    """Answer so; in names of headers ``_`` stands for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = Reply(status=status, headers={"Content-Type": content_type, **named}, body=body)
    return lambda wire, _honest: wire.send(reply)


def api_error(status, kind, text, **headers):
    """Answer as Prometheus does where a query fails."""
    body = json.dumps({"status": "error", "errorType": kind, "error": text}).encode()
    return replied(status, body, "application/json", **headers)


def rewritten(change):
    """Answer with the honest body after ``change(body)``."""
    return lambda wire, honest: wire.send(_with_body(honest(), change))


def _with_body(reply, change):
    return replace(reply, body=change(reply.body))


def warned(*texts):
    """Mark the honest answer as partial."""

    def change(body):
        return json.dumps(json.loads(body) | {"warnings": list(texts)}).encode()

    return rewritten(change)


def skewed(date_s):
    """Answer honestly, with a clock that shows another time."""

    def fault(wire, honest):
        reply = honest()
        date = {"Date": formatdate(date_s, usegmt=True)}
        wire.send(replace(reply, headers={**reply.headers, **date}))

    return fault


def zipped(change=lambda data: data):
    """Answer honestly in gzip, after ``change(compressed)``."""

    def fault(wire, honest):
        reply = honest()
        headers = {**reply.headers, "Content-Encoding": "gzip"}
        wire.send(replace(reply, headers=headers, body=change(gzip.compress(reply.body))))

    return fault


def gzip_bomb(size_bytes):
    """Answer with a small body that decompresses to so many zeros, in members of 64 MiB."""
    member = gzip.compress(bytes(64 * 2**20))
    body = member * (size_bytes // (64 * 2**20))
    return replied(200, body, "application/json", Content_Encoding="gzip")


def announced(size_bytes):
    """Announce a body of so many bytes, and begin it."""

    def fault(wire, _honest):
        wire.head(200, {**JSON, "Content-Length": str(size_bytes)})
        wire.write(EMPTY[:10])
        wire.stopped.wait(30)
        wire.close()

    return fault


def endless(status=200, **headers):
    """Send chunks for as long as anybody takes them."""

    def fault(wire, _honest):
        wire.head(status, {**JSON, **headers, "Transfer-Encoding": "chunked"})
        block = b" " * 65536
        while not wire.stopped.is_set():
            wire.write(b"%x\r\n%b\r\n" % (len(block), block))

    return fault


def no_http(wire, _honest):
    """Speak another protocol."""
    wire.write(b"-ERR unknown command\r\n")
    wire.close()
