"""The hash of code that results depend on."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ionsieve
from ionsieve.data import code_digest as module
from ionsieve.data.code_digest import code_behind, code_digest
from ionsieve.data.embedded.registry import load_registry
from ionsieve.data.errors import InputError
from ionsieve.features.catalogue import FAMILY_NAMES, descriptor_code, family_modules
from ionsieve.screening.screen.training import model_key

DESCRIPTORS = ("ionsieve.features.rows", *family_modules(FAMILY_NAMES))


@pytest.fixture
def package(tmp_path) -> Path:
    """A copy of the sources to edit."""
    installed = Path(ionsieve.__path__[0])
    return Path(
        shutil.copytree(
            installed, tmp_path / "ionsieve", ignore=shutil.ignore_patterns("__pycache__")
        )
    )


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def digest(root: Path) -> str:
    code_digest.cache_clear()
    return code_digest(*DESCRIPTORS, root=root)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("data/embedded/bvse.py", "import csv", "import csv\nimport math"),
        ("data/tables/bvse_parameters.csv", "\n", "\nLi"),
        ("features/core/roles.py", "import annotations\n", "import annotations\nimport math\n"),
        ("features/bvse/kernels.py", "import annotations\n", "import annotations\nimport math\n"),
        ("data/records.py", "import annotations\n", "import annotations\nimport math\n"),
    ],
)
def test_code_and_tables_of_descriptors_count(package, file, old, new):
    before = digest(package)
    edit(package / file, old, new)
    assert digest(package) != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("screening/pages/report.py", '"""', '"""Reworded. '),
        ("screening/pages/report.py", "import annotations\n", "import annotations\nimport math\n"),
        ("models/model.py", "import annotations\n", "import annotations\nimport math\n"),
        ("data/tables/aimd_labels.csv", "\n", "\n\n"),
        ("features/bvse/kernels.py", '"""', '"""Reworded. '),
        ("features/bvse/kernels.py", "import annotations\n", "import annotations  # why\n\n"),
    ],
)
def test_other_rooms_comments_and_docstrings_do_not_count(package, file, old, new):
    before = digest(package)
    edit(package / file, old, new)
    assert digest(package) == before


def test_all_that_a_worker_loads_is_counted():
    """The walk is static; this asks Python itself what computing descriptors needs."""
    script = (
        "import sys; from ionsieve.features.catalogue import families\n"
        "from ionsieve.features.rows import featurize_one\n"
        "from ionsieve.features.warmup import warm_up_crystals\n"
        "before = set(sys.modules)\n"
        "featurize_one(warm_up_crystals()[0], families())\n"
        "chosen = [f.compute.__module__ for f in families()]\n"
        "loaded = set(sys.modules) - before\n"
        "print(*(m for m in loaded if not hasattr(sys.modules[m], '__path__')), *chosen)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    loaded = {name for name in run.stdout.split() if name.split(".")[0] == "ionsieve"}
    assert len(loaded) >= len(FAMILY_NAMES)
    assert loaded <= set(code_behind(*DESCRIPTORS).modules)


def test_installed_walk_finds_the_files_of_the_checkout():
    behind = code_behind(*DESCRIPTORS)
    assert {"ionsieve.data.embedded.bvse", "ionsieve.features.core.roles"} <= set(behind.modules)
    assert set(behind.data) == {"bvse_parameters.csv"}
    assert not any(name.startswith("ionsieve.screening") for name in behind.modules)


def test_every_table_counts_for_someone():
    verbs = ("screen", "benchmark", "campaign_prescreen")
    everything = code_behind(
        "ionsieve.data.embedded.mlip",
        "ionsieve.data.embedded.aimd",
        "ionsieve.screening.screen.pipeline",
        *(f"ionsieve.cli.{verb}" for verb in verbs),
    )
    assert set(load_registry()) <= set(everything.data)


def test_families_have_their_own_code():
    assert descriptor_code(["density"]) != descriptor_code(["bvse"])
    assert descriptor_code(None) == descriptor_code(FAMILY_NAMES) == code_digest(*DESCRIPTORS)


def test_the_model_key_follows_labels_models_and_descriptors(monkeypatch):
    monkeypatch.setattr("ionsieve.screening.screen.training.descriptor_code", lambda _: "other")
    changed = model_key()
    monkeypatch.undo()
    assert model_key() != changed
    assert model_key(seed=1) != model_key()


def test_a_module_that_moved_is_an_error_not_an_empty_hash(package):
    (package / "features" / "rows.py").rename(package / "features" / "lines.py")
    with pytest.raises(InputError, match=r"ionsieve\.features\.rows: no such module"):
        digest(package)


def test_an_import_that_leads_nowhere_is_an_error(package):
    (package / "features" / "core" / "roles.py").unlink()
    with pytest.raises(InputError, match=r"roles"):
        digest(package)


def test_no_modules_is_an_error():
    with pytest.raises(InputError, match="at least one"):
        code_digest()


def test_kinds_of_import(tmp_path):
    root = tmp_path / "p"
    for folder in ("a", "b"):
        (root / folder).mkdir(parents=True)
    (root / "a" / "__init__.py").write_text("VALUE = 1\n")
    (root / "b" / "__init__.py").write_text("from .deep import *\n")
    (root / "b" / "deep.py").write_text("")
    (root / "a" / "named.py").write_text("")
    (root / "a" / "late.py").write_text("import ionsieve.b.deep as d, os\n")
    (root / "a" / "types.py").write_text("")
    (root / "a" / "top.py").write_text(
        "from importlib import import_module\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from . import types\n"
        "else:\n    from .. import b\n"
        "TABLE = {'x': '.named', 'y': '.', 'z': '.absent'}\n"
        "def f():\n    from . import VALUE, late\n    return import_module(TABLE['x'])\n"
    )
    found = set(code_behind("ionsieve.a.top", root=root).modules)
    inner = {"a", "a.top", "a.named", "a.late", "b", "b.deep"}
    assert found == {f"ionsieve.{name}" for name in inner}


def test_hashes_inside_strings_stay(tmp_path):
    source = (
        '"""Doc."""\n'
        "colour = '#fff'  # a comment with a ' quote\n"
        "text = f'{colour}#{1 + 1}'\n"
        "long = '''one # two\n# three\n'''  # four\n"
        'µ = "#µ"  # µ\n'
        "class A:\n    x: int = 1\n    '''Attribute.'''\n"
    )
    (tmp_path / "m.py").write_text(source)
    assert code_behind("ionsieve.m", root=tmp_path).modules["ionsieve.m"].decode() == (
        "colour = '#fff'\n"
        "text = f'{colour}#{1 + 1}'\n"
        "long = '''one # two\n# three\n'''\n"
        'µ = "#µ"\n'
        "class A:\n    x: int = 1"
    )


@settings(max_examples=40, deadline=None)
@given(
    number=st.integers(),
    text=st.text(alphabet="ab#'\"µ ", max_size=8),
    comment=st.text(alphabet="ab#'\"µ ", max_size=8),
)
def test_only_statements_count(tmp_path_factory, number, text, comment):
    root = tmp_path_factory.mktemp("p")
    file = root / "m.py"

    def hash_of(source: str) -> str:
        code_digest.cache_clear()
        file.write_text(source, encoding="utf-8")
        return module.code_digest("ionsieve.m", root=root)

    plain = hash_of(f"x = {number}\ny = {text!r}\n")
    assert hash_of(f"x = {number}  # {comment}\n\ny = {text!r}\n# {comment}\n") == plain
    assert hash_of(f"x = {number + 1}\ny = {text!r}\n") != plain
    assert hash_of(f"x = {number}\ny = {text + '#'!r}\n") != plain
