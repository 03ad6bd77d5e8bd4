"""The OPTIMADE reference server on loopback, its in-memory backend filled from a file.

Run as a program: ``python optimade_reference.py PORT DOCUMENTS.json``, or with a file of the
OPTIMADE JSON Lines format, which the server itself loads.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def served_file(path: str) -> dict[str, Any]:
    """Settings for a JSON Lines file, from its own header and its description of the entries."""
    with Path(path).open(encoding="utf-8") as lines:
        header, info = json.loads(next(lines)), json.loads(next(lines))
    provider = header["x-optimade"]["meta"]["provider"]
    prefix = f"_{provider['prefix']}_"
    fields = [
        {"name": name, **definition}
        for name, definition in info["properties"].items()
        if name.startswith(prefix)
    ]
    return {
        "insert_from_jsonl": path,
        "provider": provider,
        "provider_fields": {"structures": fields},
    }


def main(port: int, documents: str) -> None:
    import uvicorn
    from optimade.server.config import ServerConfig
    from optimade.server.create_app import create_app

    fixed = {
        "insert_test_data": False,
        "database_backend": "mongomock",
        "mongo_database": "ionsieve_test",
    }
    if documents.endswith(".jsonl"):
        app = create_app(ServerConfig(**fixed, **served_file(documents)))
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
        return
    config = ServerConfig(
        **fixed,
        provider={"prefix": "exmpl", "name": "Example", "description": "structures of a test"},
        provider_fields={
            "structures": [
                {"name": "hull", "type": "float", "unit": "eV/atom", "description": "hull distance"}
            ]
        },
    )
    app = create_app(config)
    entries = json.loads(Path(documents).read_text())
    for entry in entries:
        entry["last_modified"] = datetime(2026, 1, 1, tzinfo=UTC)
    if entries:
        app.state.entry_collections["structures"].insert(entries)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
