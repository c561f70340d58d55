"""Who may read: everybody who reaches the port, or whoever brings the token.

Programs bring it as ``Bearer``.  A browser cannot be told to, but asks its user for a name and a
password; there the token is the password, and the name is of no account.  A token in an address is
not taken: addresses are logged, and kept in histories.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoscaler.scaling.external.token_file import TokenFile

CHALLENGES = ("Bearer", 'Basic realm="tfa", charset="UTF-8"')
REFUSAL = "a token is needed: Authorization: Bearer TOKEN, or as the password of any user"


def may_read(token: TokenFile | None, authorization: str) -> bool:
    """Return whether a request with this header ``Authorization`` is answered."""
    return token is None or token.matches(_as_bearer(authorization))


def _as_bearer(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return authorization
    try:
        password = base64.b64decode(value.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return ""
    return f"Bearer {password.decode('latin-1')}"
