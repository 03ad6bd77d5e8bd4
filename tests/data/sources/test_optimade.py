"""OPTIMADE: the reference server on loopback, and providers that misbehave."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure

from ionsieve.data import InputError, Quarantined, StructureRecord
from ionsieve.data.sources.base import SourceError
from ionsieve.data.sources.optimade import (
    OptimadeSource,
    _asked_wait_s,
    _checked_entries,
    _Paging,
)
from ionsieve.data.sources.web import WebLimits
from ionsieve.data.store.ingest import ingest
from ionsieve.data.store.open import SourceOptions, open_source
from ionsieve.data.store.store import Store
from reference_server import reference_server

LICL = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.13), ["Li", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)
ELEMENTS = ["F", "Cl", "Br", "I", "O", "S", "Se"]


def attributes(structure: Structure) -> dict[str, Any]:
    symbols = sorted(e.symbol for e in structure.elements)
    return {
        "elements": symbols,
        "nelements": len(symbols),
        "elements_ratios": [
            structure.composition.get_atomic_fraction(symbol) for symbol in symbols
        ],
        "chemical_formula_descriptive": structure.composition.reduced_formula,
        "chemical_formula_reduced": structure.composition.reduced_formula,
        "chemical_formula_anonymous": "AB",
        "dimension_types": [1, 1, 1],
        "nperiodic_dimensions": 3,
        "lattice_vectors": structure.lattice.matrix.tolist(),
        "cartesian_site_positions": structure.cart_coords.tolist(),
        "nsites": len(structure),
        "species_at_sites": [site.specie.symbol for site in structure],
        "species": [{"name": s, "chemical_symbols": [s], "concentration": [1.0]} for s in symbols],
        "structure_features": [],
    }


def salt(cation: str, anion: str, a: float) -> Structure:
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


def documents() -> list[dict[str, Any]]:
    """Twelve rock salts, seven with lithium; one structure with partial occupancies."""
    salts = [salt("Li", x, 5.0 + 0.1 * i) for i, x in enumerate(ELEMENTS)]
    salts += [salt("Na", x, 5.5 + 0.1 * i) for i, x in enumerate(ELEMENTS[:5])]
    found = [
        {"id": f"ex-{i}", "type": "structures", "hull": 0.001 * i, **attributes(s)}
        for i, s in enumerate(salts)
    ]
    found[3]["species"][1] = {
        "name": "Li",
        "chemical_symbols": ["Li", "vacancy"],
        "concentration": [0.75, 0.25],
    }
    found[3]["structure_features"] = ["disorder"]
    return found


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("optimade") / "documents.json"
    path.write_text(json.dumps(documents()))
    with reference_server(path) as url:
        yield url


def test_every_page_of_the_reference_server(reference: str) -> None:
    source = OptimadeSource(url=reference, stability_field="_exmpl_hull", page=5)
    entries = [item.entry for item in source.items()]
    assert sorted(e.id for e in entries) == sorted(f"ex-{i}" for i in range(12))
    for entry in entries:
        assert isinstance(entry, StructureRecord), entry
        assert entry.provenance.source == "Example"
        assert entry.e_above_hull_eV_atom == pytest.approx(0.001 * int(entry.id[3:]))
    assert source.notices() == []


def test_occupancies_come_through(reference: str) -> None:
    entries = {i.entry.id: i.entry for i in OptimadeSource(url=reference).items()}
    disordered = entries["ex-3"]
    assert isinstance(disordered, StructureRecord)
    assert disordered.composition["Li"] == pytest.approx(3.0)


def test_filters_are_the_providers(reference: str, tmp_path: Path) -> None:
    options = SourceOptions(optimade_filter='elements HAS "Li" AND NOT elements HAS "O"')
    summary = ingest([open_source(f"optimade:{reference}", options)], tmp_path / "store")
    assert summary.counts["stored"] == 6
    records = [s.record for s in Store(tmp_path / "store").records()]
    assert all("Li" in r.elements and "O" not in r.elements for r in records)


def test_no_hit_is_remarked(reference: str, tmp_path: Path) -> None:
    options = SourceOptions(optimade_filter='elements HAS "Xe"')
    summary = ingest([open_source(f"optimade:{reference}", options)], tmp_path / "store")
    assert summary.counts["stored"] == 0
    assert len(summary.notices) == 1
    assert "no structure at all" in summary.notices[0]


def test_a_wrong_filter_is_an_error_with_the_providers_reason(reference: str) -> None:
    with pytest.raises(SourceError, match="answers 400"):
        list(OptimadeSource(url=reference, query="elements HAS HAS").items())


def test_reading_continues_behind_any_entry(reference: str) -> None:
    source = OptimadeSource(url=reference, page=5)
    items = list(source.items())
    for position in (1, 4, 5, 6, 10, 11, 12):
        cursor = json.loads(json.dumps(items[position - 1].cursor))
        rest = list(OptimadeSource(url=reference, page=5).items(cursor))
        assert [i.entry.id for i in rest] == [i.entry.id for i in items[position:]]
        assert [i.cursor for i in rest] == [i.cursor for i in items[position:]]


Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]]


@pytest.fixture
def provider() -> Iterator[Callable[[Callable[[str], Reply]], OptimadeSource]]:
    """Start a server whose answers are those of a function from path to (status, JSON)."""
    servers = []

    def start(answer: Callable[[str], Reply]) -> OptimadeSource:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                reply: Any = (200, {"data": {}}) if "/info" in self.path else answer(self.path)
                status, content, headers = (*reply, {})[:3]
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return OptimadeSource(url=f"http://127.0.0.1:{server.server_port}", wait_s=0.0)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def entry(record_id: str) -> dict[str, Any]:
    return {"id": record_id, "type": "structures", "attributes": attributes(LICL)}


def page(ids: list[str], following: str | None = None, **meta: Any) -> Reply:
    return 200, {
        "data": [entry(i) for i in ids],
        "links": {"next": following},
        "meta": {"more_data_available": following is not None, **meta},
    }


def two_pages(path: str) -> Reply:
    if "page=2" in path:
        return page(["c"], data_returned=3)
    return page(["a", "b"], "/v1/structures?page=2", data_returned=3)


def test_relative_links_are_followed(provider: Any) -> None:
    assert [i.entry.id for i in provider(two_pages).items()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda p: page(["a"], more_data_available=True), "announces more data behind entry 1"),
        (lambda p: page(["a"], more_data_available=None), "does not say that its list ends there"),
        (lambda p: page(["a"], data_returned=7), "7 entries announced, 1 received"),
        (lambda p: page(["a"], p + "&x"), "comes twice"),
        (lambda p: page([], "/v1/structures?page=2"), "an empty page"),
        (lambda p: page(["a", "a"]), "comes twice"),
        (lambda p: page(["a"], "file:///etc/passwd"), r"no http\(s\) address"),
        (lambda p: (404, {"errors": [{"detail": "no such\nthing"}]}), "404: no such thing"),
        (lambda p: (200, {"errors": [{"title": "quota"}], "data": []}), "quota"),
        (lambda p: (200, b"<html>maintenance</html>"), "not with JSON"),
        (lambda p: (200, {"meta": {}}), "without a list"),
        (lambda p: (503, {}), r"answers 503 \(5 tries\)"),
    ],
)
def test_what_is_not_complete_is_an_error(provider: Any, answer: Any, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        list(provider(answer).items())


def test_a_list_that_changes_underway_is_an_error(provider: Any) -> None:
    def answer(path: str) -> Reply:
        return (
            page(["b"], data_returned=3)
            if "page=2" in path
            else page(["a"], "/v1/structures?page=2", data_returned=2)
        )

    with pytest.raises(SourceError, match=r"changed while it was read \(2 entries, now 3\)"):
        list(provider(answer).items())


def test_a_circle_of_pages_is_an_error(provider: Any) -> None:
    def answer(path: str) -> Reply:
        number = int(path.partition("n=")[2] or 0)
        return page([f"{number}"], f"/v1/structures?n={(number + 1) % 3}")

    with pytest.raises(SourceError, match="circle"):
        list(provider(answer).items())


def test_a_busy_provider_is_asked_again(provider: Any) -> None:
    calls: list[str] = []

    def answer(path: str) -> Reply:
        calls.append(path)
        return two_pages(path) if len(calls) % 3 == 0 else (429, {})

    assert [i.entry.id for i in provider(answer).items()] == ["a", "b", "c"]
    assert len(calls) == 6


def date_in(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("status", "header", "low", "high"),
    [
        (429, lambda: "7", 7.0, 7.0),
        (503, lambda: date_in(30), 20.0, 31.0),
        (429, lambda: "Wed, 21 Oct 2015 07:28:00 GMT", 0.0, 0.0),
        (503, lambda: "soon", 0.25, 0.25),
    ],
)
def test_a_provider_says_how_long_to_wait(
    provider: Any, status: int, header: Any, low: float, high: float
) -> None:
    calls: list[str] = []

    def answer(path: str) -> Reply:
        calls.append(path)
        return (status, {}, {"Retry-After": header()}) if len(calls) == 1 else two_pages(path)

    source, waited = provider(answer), []
    source.wait_s, source.sleep = 0.25, waited.append
    assert [i.entry.id for i in source.items()] == ["a", "b", "c"]
    assert len(waited) == 1
    assert low <= waited[0] <= high


def test_a_provider_that_wants_hours_is_left_alone(provider: Any) -> None:
    source, waited = provider(lambda p: (503, {}, {"Retry-After": "7200"})), []
    source.sleep = waited.append
    with pytest.raises(SourceError, match="asks to wait 7200 s; what was read is kept"):
        list(source.items())
    assert waited == []


def test_broken_entries_are_quarantined_with_their_id(provider: Any) -> None:
    broken = [entry(f"e{i}") for i in range(7)]
    broken[0]["attributes"]["lattice_vectors"] = [[None] * 3] * 3
    broken[1]["attributes"]["dimension_types"] = [1, 1, 0]
    broken[2]["attributes"]["structure_features"] = ["assemblies"]
    broken[3]["attributes"]["species_at_sites"][0] = "Q"
    broken[4]["attributes"]["species"][0]["chemical_symbols"] = ["X"]
    broken[5]["attributes"] = None
    found = [
        i.entry
        for i in provider(
            lambda p: (200, {"data": broken, "meta": {"more_data_available": False}})
        ).items()
    ]
    assert [type(e) for e in found] == [Quarantined] * 6 + [StructureRecord]
    reasons = [e.reason for e in found[:6]]
    for words, reason in zip(
        ["NaN", "periodic", "assemblies", "not described", "unknown element", "missing"],
        reasons,
        strict=True,
    ):
        assert words in reason


def test_a_lost_connection_keeps_what_was_read(provider: Any, tmp_path: Path) -> None:
    down = True

    def answer(path: str) -> Reply:
        if "page=2" in path and down:
            return 503, {}
        return two_pages(path)

    source = provider(answer)
    with pytest.raises(InputError, match="the same command continues"):
        ingest([source], tmp_path / "parts", block=1)
    assert json.loads((tmp_path / "parts" / ".progress.json").read_text())["counts"]["input"] == 2
    down = False
    summary = ingest([source], tmp_path / "parts", block=1)
    assert summary.resumed == 2
    ingest([source], tmp_path / "whole", block=1)
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "parts" / path.name).read_bytes() == path.read_bytes()


def test_addresses_must_be_web_addresses() -> None:
    for url in ("", "file:///etc/passwd", "example.org", "http://"):
        with pytest.raises(SourceError, match=r"http\(s\) address"):
            OptimadeSource(url=url)


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("http://other.example/v1/structures", "another host, other.example; .* optimade_hosts="),
        ("http://[bad/v1", "is no address"),
        ("http://127.0.0.1:99999999/v1", "is no address"),
        ("ftp://127.0.0.1/v1", r"is no http\(s\) address"),
        ("http://" + "a" * 70_000 + "/", "leads to another host"),
        ("file:///etc/passwd", r"is no http\(s\) address"),
    ],
)
def test_links_that_lead_elsewhere_are_one_line(provider: Any, link: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason) as error:
        list(provider(lambda path: page(["a"], link)).items())
    assert len(str(error.value)) < 1000


def test_a_host_that_was_allowed_is_followed(provider: Any) -> None:
    source = provider(two_pages)
    port = source.url.rsplit(":", 1)[1]
    link = f"http://localhost:{port}/v1/structures?page=2"
    moved = provider(lambda path: page(["a", "b"], link))
    with pytest.raises(SourceError, match="another host, localhost"):
        list(moved.items())
    moved.limits = WebLimits(hosts=("localhost",))
    assert [i.entry.id for i in moved.items()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("http://other.example/", "another host"),
        ("http://[bad", "is no address"),
        ("/v1/structures?again", "moved more than 5 times"),
    ],
)
def test_redirects_are_checked_as_links(provider: Any, where: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        list(provider(lambda path: (302, {}, {"Location": where})).items())


def test_a_redirect_on_the_same_host_is_followed(provider: Any) -> None:
    def answer(path: str) -> Reply:
        return page(["a"]) if "moved" in path else (301, {}, {"Location": "/v1/moved?x"})

    assert [i.entry.id for i in provider(answer).items()] == ["a"]


def test_pages_without_end_and_time_without_end(provider: Any) -> None:
    def answer(path: str) -> Reply:
        number = int(path.partition("n=")[2] or 0)
        return page([f"{number}"], f"/v1/structures?n={number + 1}")

    endless = provider(answer)
    endless.limits = WebLimits(max_pages=3)
    with pytest.raises(SourceError, match="more than 3 pages"):
        list(endless.items())
    endless.limits = WebLimits(deadline_s=1e-9)
    with pytest.raises(SourceError, match="not read within 1e-09 s"):
        list(endless.items())


def test_a_page_of_many_entries_is_checked_in_linear_time() -> None:
    page_ = {"data": [{"id": str(n)} for n in range(100_000)]}
    assert len(_checked_entries(page_, _Paging(url=None), "x")) == 100_000
    page_["data"].append({"id": "7"})
    with pytest.raises(SourceError, match="entry 7 comes twice"):
        _checked_entries(page_, _Paging(url=None), "x")


@pytest.mark.parametrize(
    "header", ["9" * 400, "Tue, 99 Foo 99999 99:99:99 GMT", "-1", "\x00", "1e9"]
)
def test_what_is_asked_for_may_be_anything(header: str) -> None:
    asked = _asked_wait_s(header)
    assert asked is None or asked >= 0
