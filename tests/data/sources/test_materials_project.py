"""Materials Project: the real client against a small stand-in of the service on loopback."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pymatgen.core import Lattice, Structure

from ionsieve.data.sources.base import SourceError
from ionsieve.data.store.ingest import ingest
from ionsieve.data.store.store import Store

pytest.importorskip("mp_api.client", reason="mp-api is not installed", exc_type=ImportError)
pytestmark = [
    # mp-api and what it imports warn of their own deprecations.
    pytest.mark.filterwarnings("ignore"),
]

ANIONS = ["F", "Cl", "Br", "I", "S", "Se"]
GNOME = "gnome_r2scan_statics"


def documents() -> dict[str, dict[str, Any]]:
    found = {}
    for number, anion in enumerate(ANIONS):
        structure = Structure.from_spacegroup(
            "Fm-3m", Lattice.cubic(5 + 0.1 * number), ["Li", anion], [[0, 0, 0], [0.5, 0.5, 0.5]]
        )
        found[f"mp-{number}"] = {
            "material_id": f"mp-{number}",
            "structure": structure.as_dict(),
            "elements": ["Li", anion],
            "energy_above_hull": 0.01 * number,
            "energy_per_atom": -3.5,
            "band_gap": 4.0,
            "builder_meta": {"batch_id": GNOME if number == 5 else None},
        }
    return found


class Service:
    """What the service knows and was asked."""

    def __init__(self) -> None:
        self.documents = documents()
        self.hidden: set[str] = set()
        self.queries: list[dict[str, list[str]]] = []
        self.status = 200

    def answer(self, path: str) -> tuple[int, Any]:
        parts = urlsplit(path)
        if parts.path.endswith("/heartbeat"):
            from emmet.core import __version__

            return 200, {
                "version": __version__,
                "db_version": "2026.1.1",
                "access_controlled_batch_ids": [GNOME],
            }
        query = parse_qs(parts.query)
        self.queries.append(query)
        if self.status != 200:
            return self.status, {"detail": "the service is down"}
        found = [d for i, d in self.documents.items() if self._matches(d, query)]
        if "material_ids" in query:
            found = [d for d in found if d["material_id"] not in self.hidden]
        skip, limit = (int(query.get(k, [d])[0]) for k, d in (("_skip", "0"), ("_limit", "100")))
        fields = query.get("_fields", ["material_id"])[0].split(",")
        data = [{f: d[f] for f in fields if f in d} for d in found[skip : skip + limit]]
        return 200, {"data": data, "meta": {"total_doc": len(found)}}

    @staticmethod
    def _matches(document: dict[str, Any], query: dict[str, list[str]]) -> bool:
        wanted = query.get("elements", [""])[0]
        ids = query.get("material_ids", [""])[0]
        refused = query.get("batch_id_not_eq", [""])[0]
        return (
            (not wanted or set(wanted.split(",")) <= set(document["elements"]))
            and (not ids or document["material_id"] in ids.split(","))
            and (not refused or document["builder_meta"]["batch_id"] != refused)
        )


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Service, str]]:
    monkeypatch.setenv("MP_API_KEY", "0" * 32)
    state = Service()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content = state.answer(self.path)
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield state, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def source(url: str, **options: Any) -> Any:
    from ionsieve.data.sources.materials_project import MaterialsProjectSource

    return MaterialsProjectSource(endpoint=url, **options)


def test_materials_come_with_licence_and_stability(
    service: tuple[Service, str], tmp_path: Path
) -> None:
    ingest([source(service[1])], tmp_path / "store")
    records = {s.record.id: s.record for s in Store(tmp_path / "store").records()}
    assert set(records) == {f"mp-{i}" for i in range(5)}
    for number in range(5):
        record = records[f"mp-{number}"]
        assert record.e_above_hull_eV_atom == pytest.approx(0.01 * number)
        assert record.energy_eV_atom == -3.5
        assert record.provenance.licence == "CC BY 4.0"
        assert record.volume_A3 == pytest.approx((5 + 0.1 * number) ** 3)


def test_gnome_only_when_asked_for(service: tuple[Service, str]) -> None:
    without = [i.entry.id for i in source(service[1]).items()]
    assert "mp-5" not in without
    entries = {i.entry.id: i.entry for i in source(service[1], gnome=True).items()}
    assert entries["mp-5"].provenance.licence == "CC BY-NC 4.0"


def test_reading_continues_behind_any_material(service: tuple[Service, str]) -> None:
    items = list(source(service[1]).items())
    for position in range(1, 6):
        rest = list(source(service[1]).items(json.loads(json.dumps(items[position - 1].cursor))))
        assert [i.entry.id for i in rest] == [i.entry.id for i in items[position:]]


def test_a_changed_database_is_noticed(service: tuple[Service, str]) -> None:
    cursor = next(iter(source(service[1]).items())).cursor
    del service[0].documents["mp-3"]
    with pytest.raises(SourceError, match="changed since"):
        list(source(service[1]).items(cursor))


def test_documents_that_do_not_come_are_an_error(service: tuple[Service, str]) -> None:
    service[0].hidden = {"mp-2"}
    with pytest.raises(SourceError, match="1 of 5 documents did not come, the first mp-2"):
        list(source(service[1]).items())


def test_a_failing_service_is_an_error(service: tuple[Service, str]) -> None:
    service[0].status = 500
    with pytest.raises(SourceError):
        list(source(service[1]).items())


def test_no_hit_is_remarked(service: tuple[Service, str]) -> None:
    nothing = source(service[1], mobile="Cu")
    assert list(nothing.items()) == []
    assert "no material matches" in nothing.notices()[0]


def test_a_key_is_needed(service: tuple[Service, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MP_API_KEY")
    with pytest.raises(SourceError, match="MP_API_KEY"):
        source(service[1])
