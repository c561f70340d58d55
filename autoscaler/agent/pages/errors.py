"""Errors of pages.

PageError                a page cannot be used: this worker is not served, the others are
└── PageTamperedError    the worker, or somebody in its pod, changed it beside the limiter
"""

from __future__ import annotations

from autoscaler.errors import AutoscalerError


class PageError(AutoscalerError):
    """A page, or the folder that is to hold it, cannot be used."""


class PageTamperedError(PageError):
    """A page is not as the limiter leaves it."""
