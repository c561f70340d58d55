"""Who talks to the API server of a test: static tokens, and kubeconfig files for them.

The administrator may do everything, the controller manager and the scheduler what Kubernetes' own
roles give them; what the others may do comes from the RBAC that a test applies.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from autoscaler.api.names import ServiceAccount

ADMIN = "admin"
TENANT = "alice"
CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
AUTHENTICATED = "system:authenticated"


def _of_ours(account: ServiceAccount) -> tuple[str, tuple[str, ...]]:
    namespace = account.namespace()
    groups = "system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED
    return f"system:serviceaccount:{namespace}:{account}", groups


USERS: dict[str, tuple[str, tuple[str, ...]]] = {
    ADMIN: (ADMIN, ("system:masters", AUTHENTICATED)),
    **{str(account): _of_ours(account) for account in ServiceAccount},
    TENANT: (TENANT, (AUTHENTICATED,)),
    CONTROLLER_MANAGER: (f"system:{CONTROLLER_MANAGER}", (AUTHENTICATED,)),
    SCHEDULER: (f"system:{SCHEDULER}", (AUTHENTICATED,)),
}
"""Short name to the user name and the groups that the API server sees."""


def token(user: str) -> str:
    """Return the token of a user, named shortly or in full.  Raises ``ValueError``."""
    return f"token-of-{short_name(user)}"


def short_name(user: str) -> str:
    """Return the key in ``USERS``.  Raises ``ValueError`` for a stranger."""
    for short, (full, _) in USERS.items():
        if user in {short, full}:
            return short
    raise ValueError(f"{user!r} has no token; allowed: {', '.join(USERS)}")


def write_tokens(path: Path) -> None:
    """Write the token file of the API server."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        for short, (user, groups) in USERS.items():
            rows.writerow([token(short), user, f"uid-of-{short}", ",".join(groups)])


def write_service_account_key(path: Path) -> None:
    """Write an RSA key that signs the tokens of ServiceAccounts."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )


def write_kubeconfig(
    path: Path,
    *,
    url: str,
    ca_file: Path,
    user: str = ADMIN,
    groups: Sequence[str] = (),
) -> Path:
    """Write a kubeconfig and return its path.

    A user of ``USERS`` comes with the token.  With ``groups``, and for any other user, it is the
    administrator who impersonates them: kubectl does so, the Python client does not.
    """
    try:
        credentials: dict[str, object] = {"token": token(ADMIN if groups else user)}
    except ValueError:
        credentials = {"token": token(ADMIN)}
        groups = groups or (AUTHENTICATED,)
    if groups:
        credentials |= {"as": user, "as-groups": list(groups)}
    cluster = {"server": url, "certificate-authority": str(ca_file)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
    }
    # JSON is YAML.
    path.write_text(json.dumps(config, indent=1), encoding="utf-8")
    return path
