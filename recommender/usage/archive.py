"""Arrays and a header as sealed bytes: a magic, a digest, and a zip without pickled objects.

Reading one runs no code, and a single byte that differs is noticed before anything is read.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.errors import CheckpointError

_DIGEST_BYTES = 32
_HEADER = "header"
_FAST = 1
"""Most of what is kept is empty or alike: more effort takes much longer and saves little."""


def packed(magic: bytes, header: bytes, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return sealed bytes; the same content gives the same bytes."""
    body = io.BytesIO()
    columns = {_HEADER: np.frombuffer(header, np.uint8), **arrays}
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as archive:
        for name, array in columns.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    content = body.getbuffer()
    return b"".join((magic, hashlib.sha256(content).digest(), content))


def unpacked(magic: bytes, data: bytes, what: str) -> tuple[bytes, dict[str, NDArray[Any]]]:
    """Return header and arrays of sealed bytes.

    Raises ``CheckpointError`` where they are no ``what``, or not as they were written.
    """
    digest_end = len(magic) + _DIGEST_BYTES
    if not data.startswith(magic) or len(data) < digest_end:
        raise CheckpointError(f"these {len(data)} bytes are no checkpoint of {what}")
    body = memoryview(data)[digest_end:]
    if hashlib.sha256(body).digest() != data[len(magic) : digest_end]:
        raise CheckpointError(f"damaged checkpoint: the digest of its {len(body)} bytes differs")
    with np.load(io.BytesIO(body), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return arrays.pop(_HEADER).tobytes(), arrays
