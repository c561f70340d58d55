"""The page while there is no report yet: it says why, and looks again by itself."""

from __future__ import annotations

import base64
import hashlib
from html import escape

AGAIN_S = 3
"""Seconds until the browser looks again."""
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;margin:18vh auto;max-width:36em;padding:0 24px}"
    "h1{font-size:24px;margin:0 0 8px}"
)
POLICY = (
    "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'"
)
"""Content security policy."""


def waiting_page(reason: str) -> str:
    """Return a small page with the reason as its text."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="{AGAIN_S}">'
        '<title>GPU recommendations</title><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head><body><main><h1>No report yet</h1>"
        f"<p>{escape(reason[:1].upper() + reason[1:])}.</p>"
        "<p>This page looks again by itself.</p></main></body></html>\n"
    )
