"""OPTIMADE providers as a source: page after page, resumable, complete or an error.

Specification: Andersen et al., Sci. Data 8, 217 (2021), 10.1038/s41597-021-00974-z, version 1.
A result is taken for complete only if the provider says so: no further page although more data
are announced, another number of entries than announced, pages that overlap or a list that changes
underway are errors, never a shorter list.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from ..formats.entries import nested
from ..formats.entry import Context, Entry, clean_id, entry_or_quarantine, reason_of
from ..formats.optimade_read import (
    ATTRIBUTES,
    OWN_ATTRIBUTES,
    PREFIX,
    VALUES,
    record_from_attributes,
)
from ..records import Provenance
from .base import Item, SourceError
from .web import Web, WebLimits, host_of, joined

PAGE: Final[int] = 100
TRIES: Final[int] = 5
_STABILITY: Final = ("e_above_hull_eV_atom", "band_gap_eV", "energy_eV_atom")
_AGAIN: Final[frozenset[int]] = frozenset({429, 500, 502, 503, 504})
_LONGEST_WAIT_S: Final[float] = 60.0
LONGEST_ASKED_S: Final[float] = 600.0
"""A provider that asks for a longer pause (Retry-After) is left alone until the user comes back."""

STABILITY_FIELDS: Final[dict[str, str]] = {
    "alexandria": "_alexandria_hull_distance",
    "oqmd": "_oqmd_stability",
}
"""Energy above hull, eV/atom, by a part of the provider's address; others must be named."""


@dataclass(kw_only=True)
class OptimadeSource:
    """Structures of one provider.

    Parameters
    ----------
    url : str
        Base address, with or without ``/v1``.
    query : str, optional
        In the OPTIMADE filter language.
    stability_field : str, optional
        Field with the energy above hull, eV/atom; dots descend into objects.
    page : int
        Entries asked for at once; the provider may give fewer.
    limits : WebLimits
        Hosts, time and number of pages.
    wait_s : float
        Pause before the first repetition of a failed request; doubled for each further one. A
        provider's Retry-After goes before it.
    sleep : callable
        Waits so many seconds.

    Raises
    ------
    SourceError
        If the address is not http(s).
    """

    url: str
    query: str | None = None
    stability_field: str | None = None
    page: int = PAGE
    limits: WebLimits = field(default_factory=WebLimits)
    wait_s: float = 1.0
    sleep: Callable[[float], None] = time.sleep
    _notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = f"optimade:{self.url}"
        host_of(self.url, self.name)
        base = self.url.rstrip("/")
        self.base = base if re.search(r"/v\d+(\.\d+)*$", base) else f"{base}/v1"
        if self.stability_field is None:
            host = self.url.lower()
            known = (f for part, f in STABILITY_FIELDS.items() if part in host)
            self.stability_field = next(known, None)

    def identity(self) -> dict[str, Any]:
        """Address and query; the data behind them may change, which paging notices."""
        return {
            "name": self.name,
            "filter": self.query,
            "stability_field": self.stability_field,
            "page": self.page,
        }

    def notices(self) -> list[str]:
        """Zero hits, and entries without the stability field."""
        return list(self._notices)

    def items(self, after: Any = None) -> Iterator[Item]:
        """Entries behind a cursor: the address of a page and how far it was read.

        Raises
        ------
        SourceError
            As described for the module, and when the provider cannot be reached.
        """
        web = Web(self.url, self.name, self.limits)
        info = self._get(web, f"{self.base}/info")
        origin = self._provenance(info)
        state = (
            _resumed(after, self.name) if after else _Paging(url=self._first_page(_is_own(info)))
        )
        visited: set[str] = set()
        while state.url:
            if state.url in visited:
                raise SourceError(f"{self.name}: its pages run in a circle at {state.url}")
            visited.add(state.url)
            if len(visited) > self.limits.max_pages:
                raise SourceError(
                    f"{self.name}: more than {self.limits.max_pages} pages (setting "
                    "optimade_max_pages)"
                )
            page = self._get(web, state.url)
            entries = _checked_entries(page, state, self.name)
            following = _next_address(page, state.url, self.name)
            self._check_end(page, state, len(entries), following)
            for number in range(state.done, len(entries)):
                is_last = number + 1 == len(entries)
                cursor = state.behind(number + 1, entries, following if is_last else None)
                yield Item(self._entry(entries[number], origin), cursor)
            state = _Paging(**state.behind(len(entries), entries, following))
            if not following:
                break
        if state.received == 0 and state.done == 0:
            what = f"the filter {self.query!r}" if self.query else "no filter"
            self._notices.append(f"{self.name}: no structure at all with {what}")

    def _first_page(self, is_own: bool) -> str:
        fields = [*ATTRIBUTES, "last_modified", *(OWN_ATTRIBUTES if is_own else ())]
        if self.stability_field:
            fields.append(self.stability_field.split(".")[0])
        query = {"page_limit": str(self.page), "response_fields": ",".join(fields)}
        if self.query:
            query["filter"] = self.query
        return f"{self.base}/structures?{urlencode(query)}"

    def _provenance(self, info: Mapping[str, Any]) -> Provenance:
        """Name and licence as the provider's info endpoint states them."""
        meta = _mapping(info.get("meta"))
        attributes = _mapping(_mapping(info.get("data")).get("attributes"))
        name = _mapping(meta.get("provider")).get("name") or urlsplit(self.url).netloc
        licence = _licence(attributes) or _licence(meta) or "unknown"
        return Provenance(source=str(name), licence=licence, file=self.url)

    def _check_end(
        self, page: Mapping[str, Any], state: _Paging, n_entries: int, following: str | None
    ) -> None:
        meta = _mapping(page.get("meta"))
        total = state.received + n_entries
        if not following and meta.get("more_data_available") is True:
            raise SourceError(
                f"{self.name}: announces more data behind entry {total}, but gives no next page"
            )
        if following and n_entries == 0:
            raise SourceError(f"{self.name}: an empty page behind entry {total}, and a next one")
        says_so = meta.get("more_data_available") is False or state.expected is not None
        if not following and not says_so:
            raise SourceError(
                f"{self.name}: gives no next page behind entry {total}, but does not say that its "
                "list ends there (more_data_available, data_returned)"
            )
        if not following and state.expected is not None and total != state.expected:
            raise SourceError(
                f"{self.name}: {state.expected} entries announced, {total} received; "
                "remove the store and start again"
            )

    def _entry(self, entry: Any, origin: Provenance) -> Entry:
        attributes = _mapping(_mapping(entry).get("attributes"))
        record_id = clean_id(_mapping(entry).get("id") or "unnamed")
        reference = Provenance(
            source=origin.source, licence=origin.licence, reference=str(record_id), file=origin.file
        )
        hull, gap, energy = (attributes.get(VALUES[field]) for field in _STABILITY)
        if self.stability_field:
            hull = nested(attributes, self.stability_field)
        return entry_or_quarantine(
            Context(record_id, reference),
            lambda: record_from_attributes(attributes, record_id, reference),
            hull,
            gap,
            energy,
        )

    def _get(self, web: Web, url: str) -> dict[str, Any]:
        """One response; repeated while the provider is busy or the connection fails."""
        import requests

        problem, asked_s = "", None
        for attempt in range(TRIES):
            if attempt:
                self.sleep(self._pause_s(attempt, asked_s))
            asked_s = None
            try:
                answer = web.get(url)
            except requests.RequestException as error:
                problem = reason_of(error)
                continue
            if answer.status not in _AGAIN:
                return _parsed(answer.content, answer.status, url, self.name)
            problem = f"answers {answer.status}"
            asked_s = _asked_wait_s(answer.headers.get("Retry-After"))
        raise SourceError(
            f"{self.name}: {problem} ({TRIES} tries); what was read is kept, the same command "
            "continues"
        )

    def _pause_s(self, attempt: int, asked_s: float | None) -> float:
        """Seconds to the next try: what the provider asks for, else doubled each time.

        Raises
        ------
        SourceError
            If the provider asks for more than ten minutes: nobody wants to wait unasked.
        """
        if asked_s is None:
            return min(self.wait_s * 2 ** (attempt - 1), _LONGEST_WAIT_S)
        if asked_s > LONGEST_ASKED_S:
            raise SourceError(
                f"{self.name}: asks to wait {asked_s:.0f} s; what was read is kept, run the same "
                "command again then"
            )
        return asked_s


def _asked_wait_s(header: str | None) -> float | None:
    """Seconds of a Retry-After header, which is a number or an HTTP date (RFC 9110, 10.2.3)."""
    if not header:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max((until - datetime.now(UTC)).total_seconds(), 0.0)


@dataclass(kw_only=True)
class _Paging:
    """Where the reading of a list stands: everything that a cursor holds."""

    url: str | None
    received: int = 0
    """Entries on pages before this one."""
    done: int = 0
    """Entries of this page that were taken."""
    expected: int | None = None
    previous: list[str] = field(default_factory=list)
    """Identifiers on the page before, to notice pages that overlap."""

    def behind(self, taken: int, entries: list[Any], following: str | None) -> dict[str, Any]:
        """State behind ``taken`` entries of this page; at its end, that of the next page."""
        if taken < len(entries) or (following is None and taken == len(entries)):
            # The last page stays the place to return to: reading it again ends at once.
            return {**vars(self), "done": taken}
        ids = [str(_mapping(entry).get("id")) for entry in entries]
        return {
            "url": following,
            "received": self.received + len(entries),
            "done": 0,
            "expected": self.expected,
            "previous": ids,
        }


def _resumed(after: Any, name: str) -> _Paging:
    """The state that a cursor holds; it stands in a file that may be damaged."""
    try:
        return _Paging(**after)
    except TypeError:
        raise SourceError(f"{name}: the store's cursor is damaged; remove the store") from None


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _parsed(content: bytes, status: int, url: str, name: str) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise SourceError(f"{name}: answers {status}, not with JSON, at {url}")
    errors = answer.get("errors")
    if errors or status >= 400:
        first = _mapping(errors[0]) if isinstance(errors, list) and errors else {}
        detail = " ".join(str(first.get("detail") or first.get("title") or "no detail").split())
        raise SourceError(f"{name}: answers {status}: {detail[:300]}")
    return answer


def _checked_entries(page: Mapping[str, Any], state: _Paging, name: str) -> list[Any]:
    entries = page.get("data")
    if not isinstance(entries, list):
        raise SourceError(f"{name}: a page without a list of entries")
    ids = [str(_mapping(entry).get("id")) for entry in entries]
    repeated = set(ids) & set(state.previous) or {i for i, n in Counter(ids).items() if n > 1}
    if repeated:
        raise SourceError(
            f"{name}: entry {min(repeated)} comes twice; its list has no fixed order, so others "
            "may be missing: remove the store and start again"
        )
    announced = _mapping(page.get("meta")).get("data_returned")
    if isinstance(announced, int):
        if state.expected is not None and announced != state.expected:
            raise SourceError(
                f"{name}: the database changed while it was read ({state.expected} entries, now "
                f"{announced}); remove the store and start again"
            )
        state.expected = announced
    return entries


def _next_address(page: Mapping[str, Any], current: str, name: str) -> str | None:
    link = _mapping(page.get("links")).get("next")
    address = _mapping(link).get("href") if isinstance(link, Mapping) else link
    if not address:
        return None
    return joined(current, str(address), name)


def _is_own(info: Mapping[str, Any]) -> bool:
    """True if the provider serves what ionsieve wrote, whose entries state their own origin."""
    prefix = _mapping(_mapping(info.get("meta")).get("provider")).get("prefix")
    return prefix == PREFIX.strip("_")


def _licence(part: Mapping[str, Any]) -> str | None:
    """``available_licenses_for_entries``, ``available_licenses`` or ``license`` (1.2)."""
    for key in ("available_licenses_for_entries", "available_licenses"):
        if isinstance(part.get(key), list) and part[key]:
            return ", ".join(map(str, part[key]))
    licence = part.get("license")
    found = licence.get("href") if isinstance(licence, Mapping) else licence
    return str(found) if found else None
