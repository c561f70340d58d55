"""Keys that endpoints want, from Secrets of the namespaces of the workloads that have them asked.

A profile may name any Secret, and whoever may write a profile also names who gets its key.  So a
key is read from the namespace of its workload alone, and only where the owner of that namespace has
let the autoscaler read it.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
import time
from typing import TYPE_CHECKING

from autoscaler.errors import AutoscalerError, ForbiddenError, KubeError, NotFoundError
from autoscaler.kube.resource import SECRETS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from autoscaler.kube.api_server import ApiServer

FIELDS = ("apiKey", "token", "key")
"""Keys of a Secret that may hold it; the first one that is there counts."""
KEPT_S = 60.0
"""A key that was renewed is used after so long; a refusal is asked again after as long."""
ROLE = "tensor-fusion-external-scaler-key"
OF_KUBERNETES = "kubernetes.io/"
"""In the type of Secrets that are no keys of endpoints: tokens of ServiceAccounts, passwords."""
_USABLE = re.compile(r"[!-~]{1,4096}")


class NoKeyError(AutoscalerError):
    """The key of an endpoint cannot be had; the text says what to do."""


class ApiKeys:
    """Keys by namespace and name of their Secret; may be used by several threads at once."""

    def __init__(
        self,
        api: ApiServer | None,
        *,
        kept_s: float = KEPT_S,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read keys from an API server; None: there is no cluster, and so no key."""
        self._api = api
        self._kept_s = kept_s
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], tuple[float, str | NoKeyError]] = {}

    def key_of(self, namespace: str, secret_namespace: str | None, secret_name: str) -> str:
        """Return the key in a Secret that a workload of ``namespace`` names.

        Raises ``NoKeyError``.
        """
        if secret_namespace not in (None, "", namespace):
            raise NoKeyError(
                f"apiKeySecretRef.namespace is {secret_namespace!r}; allowed: {namespace!r}, the "
                "namespace of the workload"
            )
        place = namespace, secret_name
        with self._lock:
            read_s, found = self._kept.get(place, (None, None))
        if read_s is None or found is None or self._monotonic_s() - read_s >= self._kept_s:
            found = self._read(*place)
            self._keep(place, found)
        if isinstance(found, NoKeyError):
            raise found
        return found

    def _keep(self, place: tuple[str, str], found: str | NoKeyError) -> None:
        now_s = self._monotonic_s()
        with self._lock:
            self._kept[place] = now_s, found
            for other, (read_s, _) in list(self._kept.items()):
                if now_s - read_s >= self._kept_s:
                    del self._kept[other]

    def _read(self, namespace: str, name: str) -> str | NoKeyError:
        what = f"Secret {namespace}/{name}"
        if self._api is None:
            return NoKeyError(f"{what} cannot be read: this profile has no API server")
        try:
            secret = self._api.get(SECRETS, name, namespace)
        except NotFoundError:
            return NoKeyError(f"{what} does not exist")
        except ForbiddenError:
            return NoKeyError(
                f"{what} may not be read; the owner of the namespace allows it by a RoleBinding to "
                f"the ClusterRole {ROLE}"
            )
        except KubeError:
            return NoKeyError(f"{what} cannot be read now: the API server did not answer")
        return _key_in(secret, what)


def _key_in(secret: Mapping[str, Any], what: str) -> str | NoKeyError:
    type_ = str(secret.get("type") or "")
    if OF_KUBERNETES in type_:
        return NoKeyError(f"{what} is of type {type_}, which is never sent; allowed: Opaque")
    data = secret.get("data") or {}
    name = next((name for name in FIELDS if data.get(name)), None)
    if name is None:
        return NoKeyError(f"{what} holds no key; allowed: one of {', '.join(FIELDS)}")
    try:
        key = base64.b64decode(data[name], validate=True).decode("ascii").strip()
    except (binascii.Error, UnicodeDecodeError):
        key = ""
    if _USABLE.fullmatch(key) is None:
        return NoKeyError(
            f"{what} holds a {name} that cannot be sent; allowed: 1 to 4096 visible ASCII "
            "characters without spaces"
        )
    return key
