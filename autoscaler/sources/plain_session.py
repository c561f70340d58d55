"""A session that takes nothing from its surroundings: no proxies, no passwords, no cookies."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy

import requests

from autoscaler.sources.prometheus.deadline import Deadline, DeadlineAdapter


def plain_session(deadline: Deadline) -> requests.Session:
    """Return a session whose exchanges end at a deadline."""
    session = requests.Session()
    # Neither .netrc nor proxies of the environment: what is set is what is used.
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    for scheme in ("http://", "https://"):
        session.mount(scheme, DeadlineAdapter(deadline))
    return session
