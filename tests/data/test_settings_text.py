"""Settings of strangers: bombs, numbers without end, dates, keys that hide each other."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ionsieve.data.errors import InputError
from ionsieve.data.settings_text import read_settings_text, shown, toml_value, yaml_text, yaml_value


def bomb(depth: int) -> str:
    """300 bytes that stand for 10^depth texts."""
    lines = [f"&{'abcdefghij'[0]} [{', '.join('x' * 10)}]"]
    for above, below in zip("bcdefghij"[:depth], "abcdefghi", strict=False):
        lines.append(f"&{above} [{', '.join([f'*{below}'] * 10)}]")
    return f"seed: [{', '.join(lines)}]"


@pytest.mark.parametrize("depth", [1, 4, 9])
def test_aliases_are_refused(depth: int) -> None:
    with pytest.raises(
        InputError, match=r"^x: not readable as settings: not valid YAML: an alias \(\*\) in line 1"
    ) as e:
        yaml_value(bomb(depth), "x")
    assert len(str(e.value)) < 200


def test_merged_tables_are_aliases_too() -> None:
    with pytest.raises(InputError, match="an alias"):
        yaml_value("a: &a {k: 1}\nb: {<<: *a}", "x")


@pytest.mark.parametrize("number", ["9" * 5000, "9" * 41, "0x" + "f" * 50, "1_0" * 20])
def test_numbers_without_end_are_refused(number: str) -> None:
    with pytest.raises(InputError, match=r"more than 40 digits|not readable"):
        yaml_value(f"seed: {number}", "x")


@pytest.mark.parametrize("date", ["2020-99-01", "2020-01-01", "2020-01-01 99:00:00", "0000-00-00"])
def test_dates_stay_texts(date: str) -> None:
    assert yaml_value(f"seed: {date}", "x") == {"seed": date}


@pytest.mark.parametrize("text", ["seed: 1\nseed: 2", "{a: 1, a: 2}", "f: {g: 1, g: 1}"])
def test_a_key_that_comes_twice(text: str) -> None:
    with pytest.raises(InputError, match="a key comes twice"):
        yaml_value(text, "x")


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "{" * 100_000, "- " * 50_000 + "a", "!!python/object/apply:os.system [ls]",
     "? [a]\n: 1", "a: \x00", "a: 'b", "!!int x", "!!float x"],
)  # fmt: skip
def test_what_is_no_settings_file(text: str) -> None:
    with pytest.raises(InputError, match=r"^x: not readable as settings: ") as error:
        yaml_value(text, "x")
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    ["a = " + "9" * 5000, "a = " + "9" * 41, "a = [" * 10_000, "a = 2020-99-01", "a = {b = "],
)
def test_toml_within_the_same_bounds(text: str) -> None:
    with pytest.raises(InputError, match=r"^x: "):
        toml_value(text, "x")


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with pytest.raises(InputError, match="no such file"):
        read_settings_text(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        read_settings_text(path)
    path.write_bytes(b"#" * 1_000_001)
    with pytest.raises(InputError, match="larger than 1 MB"):
        read_settings_text(path)
    path.write_text("")
    assert read_settings_text(path) is None
    (tmp_path / "b.toml").write_text("a = 1")
    assert read_settings_text(tmp_path / "b.toml") == {"a": 1}


def test_values_in_messages_are_short() -> None:
    nested = {"a": {"b": {"c": [1] * 99}}}
    for value in ("a" * 10_000, list(range(10**5)), nested, 10**5000, dict.fromkeys(range(1000))):
        assert len(shown(value)) < 300


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(max_size=20)
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@example("\x85")
@example("a\u2028b")
@given(PLAIN)
def test_what_is_written_is_read_back(value: object) -> None:
    shared = {"a": value, "b": value}
    assert yaml_value(yaml_text(shared), "x") == shared


@given(st.text(max_size=60))
def test_any_text_gives_a_value_or_one_line(text: str) -> None:
    for parse in (yaml_value, toml_value):
        message = ""
        try:
            parse(text, "x")
        except InputError as error:
            message = str(error)
        assert "\n" not in message
