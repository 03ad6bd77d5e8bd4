"""One response of a server that may be anyone: which host, how long, how large, how often moved."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from .base import SourceError

MAX_RESPONSE_BYTES: Final[int] = 50_000_000
"""A page of 100 entries with 2,000 sites each has 20 MB."""
TIMEOUT_S: Final[float] = 60.0
MAX_REDIRECTS: Final[int] = 5
HEADERS: Final = {
    "User-Agent": "ionsieve",
    "Accept": "application/vnd.api+json, application/json",
}


@dataclass(frozen=True, kw_only=True)
class WebLimits:
    """How far a server may lead.

    Parameters
    ----------
    hosts : tuple of str
        Hosts besides the one that was named to which links and redirects may lead.
    deadline_s : float
        For everything read from one provider, s.
    max_pages : int
    """

    hosts: tuple[str, ...] = ()
    deadline_s: float = 86_400.0
    max_pages: int = 100_000

    def __post_init__(self) -> None:
        if not 0 < self.deadline_s < 1e8 or not 0 < self.max_pages <= 10**9:
            raise SourceError("optimade: deadline and number of pages must be positive")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Status, content and headers."""

    status: int
    content: bytes
    headers: Mapping[str, str]


def host_of(url: str, name: str) -> str:
    """Host of a web address, in lower case.

    Raises
    ------
    SourceError
        If it is no http(s) address.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SourceError(f"{name}: {url[:200]!r} is no address ({error})") from None
    if parts.scheme not in ("http", "https") or not host:
        raise SourceError(f"{name}: {url[:200]!r} is no http(s) address")
    return host


def joined(current: str, link: str, name: str) -> str:
    """A link as a whole address.

    Raises
    ------
    SourceError
        If it is none.
    """
    try:
        whole = urljoin(current, link)
    except ValueError as error:
        raise SourceError(f"{name}: {link[:200]!r} is no address ({error})") from None
    host_of(whole, name)
    return whole


class Web:
    """Requests to one provider, within limits."""

    def __init__(self, named: str, name: str, limits: WebLimits) -> None:
        self.name, self.limits = name, limits
        self.hosts = {host_of(named, name), *(host.lower() for host in limits.hosts)}
        self.is_secure = named.startswith("https:")
        self.started = time.monotonic()

    def get(self, url: str) -> Answer:
        """Follow an address to its answer.

        Raises
        ------
        SourceError
            If it leads to another host, moves more than five times, gives over 50 MB, or time is
            up.
        requests.RequestException
            If the connection fails; it may work later.
        """
        import requests

        for _ in range(MAX_REDIRECTS + 1):
            self._check(url)
            try:
                response = requests.get(
                    url, timeout=TIMEOUT_S, stream=True, headers=HEADERS, allow_redirects=False
                )
            except ValueError as error:  # also of the place that it is moved to
                raise SourceError(f"{self.name}: {url[:200]!r} is no address ({error})") from None
            with response:
                moved = response.headers.get("Location") if response.is_redirect else None
                if moved is None:
                    return Answer(
                        status=response.status_code,
                        content=self._content(response),
                        headers=response.headers,
                    )
            url = joined(url, moved, self.name)
        raise SourceError(
            f"{self.name}: moved more than {MAX_REDIRECTS} times, last to {url[:200]}"
        )

    def check_time(self) -> None:
        """Raise SourceError when time is up."""
        if time.monotonic() - self.started > self.limits.deadline_s:
            raise SourceError(
                f"{self.name}: not read within {self.limits.deadline_s:g} s; what was read is "
                "kept, the same command continues (setting optimade_deadline_s)"
            )

    def _check(self, url: str) -> None:
        self.check_time()
        host = host_of(url, self.name)
        if host not in self.hosts:
            raise SourceError(
                f"{self.name}: leads to another host, {host[:100]}; if that is right, give "
                f"--set optimade_hosts={host[:100]}"
            )
        if self.is_secure and not url.startswith("https:"):
            raise SourceError(f"{self.name}: leads from https to {url[:200]}, which is not secure")

    def _content(self, response: Any) -> bytes:
        content = bytearray()
        for chunk in response.iter_content(1 << 16):
            content += chunk
            self.check_time()
            if len(content) > MAX_RESPONSE_BYTES:
                limit = MAX_RESPONSE_BYTES // 1_000_000
                raise SourceError(f"{self.name}: a response of more than {limit} MB")
        return bytes(content)
