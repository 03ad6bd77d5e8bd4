"""The Materials Project as a source, through its own client mp-api (optional).

First the identifiers of all materials that match are asked for, then their documents in batches:
a document that does not come is an error, not a shorter list. Entries of GNoME, whose licence
forbids commercial use, stay out unless asked for.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..convert import from_pymatgen
from ..errors import MissingDependencyError, StructureError
from ..formats.entries import record_from_entry
from ..formats.entry import Context, Entry, entry_or_quarantine, reason_of
from ..records import Provenance, StructureRecord
from .base import Item, SourceError

BATCH: Final[int] = 200
FIELDS: Final[tuple[str, ...]] = (
    "material_id",
    "structure",
    "energy_above_hull",
    "energy_per_atom",
    "band_gap",
    "builder_meta",
)
LICENCE: Final[str] = "CC BY 4.0"
GNOME_LICENCE: Final[str] = "CC BY-NC 4.0"
REFERENCE: Final[str] = "10.1063/1.4812323"


@dataclass
class MaterialsProjectSource:
    """Materials with the mobile species.

    Parameters
    ----------
    chemsys : str
        Chemical system with ``*`` for any element, such as ``Li-*-S``; empty: everything with
        the mobile species.
    mobile : str
    gnome : bool
        Include the entries of GNoME.
    endpoint : str, optional
        Address of the service; mp-api's default otherwise.

    Raises
    ------
    MissingDependencyError
        If mp-api is not installed.
    SourceError
        If no key is set.
    """

    chemsys: str = ""
    mobile: str = "Li"
    gnome: bool = False
    endpoint: str | None = None

    def __post_init__(self) -> None:
        self.name = f"mp:{self.chemsys}"
        self._notices: list[str] = []
        try:
            import mp_api.client  # noqa: F401
        except ImportError:
            raise MissingDependencyError(
                "mp: needs the package mp-api: pip install 'mp-api>=0.46'"
            ) from None
        if not os.environ.get("MP_API_KEY"):
            raise SourceError("mp: set MP_API_KEY to your key of the Materials Project")

    def identity(self) -> dict[str, Any]:
        """The query; the key is no part of it."""
        return {
            "name": self.name,
            "mobile": self.mobile,
            "gnome": self.gnome,
            "endpoint": self.endpoint,
        }

    def notices(self) -> list[str]:
        """Zero hits."""
        return list(self._notices)

    def items(self, after: Any = None) -> Iterator[Item]:
        """Materials in the order of their ids; a cursor is [hash of all ids, number read].

        Raises
        ------
        SourceError
            If the service fails, does not send every document, or its list has changed.
        """
        with self._client() as client:
            ids = self._ids(client)
            digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]
            before, done = after or (digest, 0)
            if before != digest:
                raise SourceError(
                    f"{self.name}: the database changed since the ingest began; remove the store "
                    "and start again"
                )
            if not ids:
                self._notices.append(f"{self.name}: no material matches")
            for first in range(done, len(ids), BATCH):
                batch = ids[first : first + BATCH]
                documents = self._documents(client, batch)
                for number, material_id in enumerate(batch, start=first + 1):
                    yield Item(self._entry(material_id, documents[material_id]), [digest, number])

    def _client(self) -> Any:
        from mp_api.client import MPRester

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return MPRester(
                    endpoint=self.endpoint, use_document_model=False, mute_progress_bars=True
                )
        except Exception as error:
            # The client raises errors of several libraries when it cannot connect.
            raise SourceError(f"{self.name}: {reason_of(error)}") from None

    def _search(self, client: Any, **query: Any) -> list[Mapping[str, Any]]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = client.materials.summary.search(
                    include_gnome=self.gnome, all_fields=False, **query
                )
        except Exception as error:
            raise SourceError(
                f"{self.name}: {reason_of(error)}; what was read is kept, the same command "
                "continues"
            ) from None
        return [document if isinstance(document, Mapping) else vars(document) for document in found]

    def _ids(self, client: Any) -> list[str]:
        chosen = {"chemsys": self.chemsys} if self.chemsys else {"elements": [self.mobile]}
        documents = self._search(client, fields=["material_id"], **chosen)
        return sorted({str(document["material_id"]) for document in documents})

    def _documents(self, client: Any, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        documents = self._search(client, material_ids=list(ids), fields=list(FIELDS))
        found = {str(document.get("material_id")): document for document in documents}
        if missing := [i for i in ids if i not in found]:
            raise SourceError(
                f"{self.name}: {len(missing)} of {len(ids)} documents did not come, the first "
                f"{missing[0]}; run the same command again"
            )
        return found

    def _entry(self, material_id: str, document: Mapping[str, Any]) -> Entry:
        licence = GNOME_LICENCE if _is_gnome(document) else LICENCE
        origin = Provenance(
            source="Materials Project", licence=licence, reference=f"{material_id}, {REFERENCE}"
        )
        return entry_or_quarantine(
            Context(material_id, origin),
            lambda: _record(document, material_id, origin),
            document.get("energy_above_hull"),
            document.get("band_gap"),
            document.get("energy_per_atom"),
        )


def _record(document: Mapping[str, Any], record_id: str, origin: Provenance) -> StructureRecord:
    structure = document.get("structure")
    if structure is None:
        raise StructureError(f"{record_id}: the document has no structure")
    if isinstance(structure, Mapping):
        return record_from_entry(structure, record_id, Context(record_id, origin))
    return from_pymatgen(structure, record_id, origin)


def _is_gnome(document: Mapping[str, Any]) -> bool:
    builder = document.get("builder_meta")
    batch = builder.get("batch_id") if isinstance(builder, Mapping) else None
    return "gnome" in str(batch or "").lower()
