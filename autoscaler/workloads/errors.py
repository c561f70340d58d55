"""Errors of the controller's own, beside those of the API server.

AutoscalerError
├── InputError
│   └── InvalidWorkerError  a pod's annotations cannot be read, so that it cannot be placed
└── OverbookedError         a GPU lacks the room that is to be taken of it
"""

from __future__ import annotations

from autoscaler.errors import AutoscalerError, InputError


class InvalidWorkerError(InputError):
    """Annotations of a worker cannot be read; names the annotation, the value, what is allowed."""


class OverbookedError(AutoscalerError):
    """A GPU is not there, or lacks the room that is to be taken of it."""
