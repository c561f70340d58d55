"""Where the certificate to serve with comes from: the Secret of the controller, or files.

Both offer whatever they find to ``ServingCertificate`` as long as they run, and leave the judgement
to it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoscaler.api.names import CERTIFICATE_SECRET
from autoscaler.kube.reflector import Reflector, without_managed_fields
from autoscaler.kube.resource import SECRETS
from autoscaler.kube.store import Change

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.webhook.serving_certificate import ServingCertificate

CHAIN, KEY = "tls.crt", "tls.key"
READ_EVERY_S = 2.0


@asynccontextmanager
async def certificate_of_secret(
    certificate: ServingCertificate, api: ApiServer, *, namespace: str
) -> AsyncIterator[Reflector]:
    """Offer what the Secret holds, and what it becomes, while the context lasts."""
    loop = asyncio.get_running_loop()

    def changed(change: Change) -> None:
        """Hand a change from the reflector's thread to that of the handshakes."""
        loop.call_soon_threadsafe(offer_secret, certificate, change.new)

    reflector = Reflector(
        api,
        SECRETS,
        namespace=namespace,
        field_selector=f"metadata.name={CERTIFICATE_SECRET}",
        keep=served_part,
    )
    reflector.store.on_change(changed)
    reflector.start()
    try:
        yield reflector
    finally:
        await asyncio.to_thread(reflector.stop)


@asynccontextmanager
async def certificate_of_files(
    certificate: ServingCertificate,
    chain_file: Path,
    key_file: Path,
    *,
    every_s: float = READ_EVERY_S,
) -> AsyncIterator[None]:
    """Offer what the files hold, and what they become, while the context lasts."""
    reading = asyncio.create_task(_read_files(certificate, (chain_file, key_file), every_s))
    try:
        yield
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading


def served_part(secret: dict[str, Any]) -> dict[str, Any]:
    """Return a Secret with chain and key alone."""
    data = secret.get("data") or {}
    kept = {key: data[key] for key in (CHAIN, KEY) if key in data}
    return without_managed_fields({"metadata": secret["metadata"], "data": kept})


def offer_secret(certificate: ServingCertificate, secret: Mapping[str, Any] | None) -> None:
    """Offer what a Secret holds; None: it was deleted, and what is served with stays."""
    if secret is None:
        certificate.refuse("the Secret was deleted")
        return
    data = secret.get("data") or {}
    missing = [key for key in (CHAIN, KEY) if not data.get(key)]
    if missing:
        certificate.refuse(f"the Secret lacks {' and '.join(missing)}")
        return
    try:
        chain, key = (base64.b64decode(data[part], validate=True) for part in (CHAIN, KEY))
    except binascii.Error as error:
        certificate.refuse(f"the Secret holds no base64: {error}")
        return
    certificate.offer(chain, key)


async def _read_files(
    certificate: ServingCertificate, paths: Sequence[Path], every_s: float
) -> None:
    told: object = None
    while True:
        found = await asyncio.to_thread(_contents, paths)
        if found != told:
            if isinstance(found, str):
                certificate.refuse(found)
            else:
                certificate.offer(*found)
        told = found
        await asyncio.sleep(every_s)


def _contents(paths: Sequence[Path]) -> tuple[bytes, ...] | str:
    """Return what the files hold, or why they cannot be read."""
    try:
        return tuple(path.read_bytes() for path in paths)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
