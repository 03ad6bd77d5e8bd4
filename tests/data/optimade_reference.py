"""The OPTIMADE reference server on loopback, its in-memory backend filled from a file.

Run as a program: ``python optimade_reference.py PORT DOCUMENTS.json``, or with a file of the
server's own settings, ``…server.json``, in the folder that its relative paths start from.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path


def main(port: int, documents: str) -> None:
    import uvicorn
    from optimade.server.config import ServerConfig
    from optimade.server.create_app import create_app

    fixed = {
        "insert_test_data": False,
        "database_backend": "mongomock",
        "mongo_database": "ionsieve_test",
    }
    if documents.endswith("server.json"):
        app = create_app(ServerConfig(**{**fixed, **json.loads(Path(documents).read_text())}))
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
