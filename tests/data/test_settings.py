"""Settings as data: precedence, types, names, and what was written is read back."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ionsieve.data.errors import InputError
from ionsieve.data.settings import (
    Layer,
    as_nested,
    assignments,
    keys_of,
    read_settings_file,
    resolved,
)


@dataclass(frozen=True)
class Limits:
    low: float = 0.5
    pair: tuple[float, float] = (0.2, 0.8)


@dataclass(frozen=True)
class Sample:
    seed: int = 0
    name: str = "Li"
    mode: Literal["a", "b"] = "a"
    families: tuple[str, ...] | None = None
    filters: str | tuple[Any, ...] | None = None
    fast: bool = False
    limits: Limits = field(default_factory=Limits)


def test_keys_are_dotted() -> None:
    assert list(keys_of(Sample)) == [
        "seed", "name", "mode", "families", "filters", "fast", "limits.low", "limits.pair",
    ]  # fmt: skip


def test_later_layers_win() -> None:
    layers = [
        Layer("file", {"seed": 1, "name": "Na", "limits.low": 1}),
        Layer("--set", {"seed": 2, "name": "K"}),
        Layer("command line", {"seed": 3}),
    ]
    found = resolved(Sample, layers)
    assert (found.seed, found.name, found.limits) == (3, "K", Limits(1.0))
    assert resolved(Sample, []) == Sample()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sed", 1, "x: unknown setting 'sed'; did you mean seed?"),
        ("low", 1, "x: unknown setting 'low'; did you mean limits.low?"),
        ("limits", 1, "x: unknown setting 'limits'; did you mean"),
        ("qqq", 1, "x: unknown setting 'qqq'; known are seed, name"),
        ("seed", "a", "x: seed: must be a whole number, not 'a'"),
        ("seed", True, "x: seed: must be a whole number, not True"),
        ("seed", 1.5, "x: seed: must be a whole number, not 1.5"),
        ("fast", 1, "x: fast: must be true or false, not 1"),
        ("name", 3, "x: name: must be a text, not 3"),
        ("mode", "c", "x: mode: 'c'; use one of a, b"),
        ("limits.low", float("nan"), "x: limits.low: must be a number, not nan"),
        ("limits.pair", [1], r"x: limits.pair: must be a list of 2, not \[1\]"),
        ("families", 3, "x: families: must be a list, not 3"),
    ],
)
def test_mistakes_are_named(key: str, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        resolved(Sample, [Layer("x", {key: value})])


def test_values_on_the_command_line() -> None:
    texts = ["seed=4", "limits.pair=[0.1, 0.9]", "families=acsf,bvse", "limits.low=1e-3", "name=K"]
    found = resolved(Sample, [assignments(texts)])
    assert found == Sample(4, "K", families=("acsf", "bvse"), limits=Limits(1e-3, (0.1, 0.9)))
    assert resolved(Sample, [assignments(["families=null"])]).families is None
    for text, reason in [("seed", "give key=value"), ("=1", "give key"), ("seed=[1", "quote it")]:
        with pytest.raises(InputError, match=reason):
            assignments([text])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "seed: 7\nlimits:\n  low: 0.25\n"),
        ("a.yaml", "seed: 7\nlimits.low: 0.25\n"),
        ("a.toml", "seed = 7\n[limits]\nlow = 0.25\n"),
    ],
)
def test_files_nest_or_dot(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    layer = read_settings_file(tmp_path / name, Sample)
    assert resolved(Sample, [layer]) == Sample(7, limits=Limits(0.25))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a: [", "not readable as settings"),
        (b"- 1", "must hold a table"),
        (b"\xff\xfe", "cannot be read"),
        (b"!!python/object/apply:os.system [ls]", "not readable as settings"),
        (b"[" * 5000, "not readable as settings"),
    ],
)
def test_files_that_are_no_settings(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "bad.yaml").write_bytes(content)
    with pytest.raises(InputError, match=f"bad.yaml: {reason}"):
        read_settings_file(tmp_path / "bad.yaml", Sample)


samples = st.builds(
    Sample,
    st.integers(0, 2**32 - 1),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1),
    st.sampled_from(["a", "b"]),
    st.none() | st.lists(st.text("abc", min_size=1)).map(tuple),
    st.none() | st.sampled_from(["default", "none"]),
    st.booleans(),
    st.builds(
        Limits,
        st.floats(allow_nan=False, allow_infinity=False),
        st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)),
    ),
)


@given(samples)
def test_what_is_written_is_read_back(sample: Sample) -> None:
    text = yaml.safe_dump(as_nested(sample), allow_unicode=True)
    flat = {}
    for key, value in yaml.safe_load(text).items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        flat |= {f"{key}.{k}".rstrip("."): v for k, v in inner}
    assert resolved(Sample, [Layer("file", flat)]) == sample
