"""Kubeconfig files for tests."""

import json
from pathlib import Path

SECRET = "s3cret-token"


def kubeconfig(path: Path, *, url="https://127.0.0.1:1", cluster=None, context="test", **user):
    """Write a kubeconfig of one context and return its path; JSON is YAML."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url} | (cluster or {})}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def exec_plugin(path: Path, script: str):
    """Return the ``exec`` of a user whose credentials a shell script prints."""
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path)}


def credential(token: str) -> str:
    """Return what such a plug-in prints."""
    version = "client.authentication.k8s.io/v1"
    status = {"token": token}
    return json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})
