"""XGBoost files with changed bytes: refused, or as sound as the one they came from."""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xgboost

from ionsieve.data import ModelError
from ionsieve.models.learners.booster_checks import check_booster
from ionsieve.models.learners.trees import BoundedBoosting
from ionsieve.models.learners.ubjson import read_ubjson

N_FEATURES = 5


@pytest.fixture(scope="module")
def booster() -> xgboost.Booster:
    rng = np.random.default_rng(0)
    features = rng.random((60, N_FEATURES))
    features[3, 2] = np.nan
    value = features[:, 0] + rng.random(60)
    bounds = np.column_stack([value, np.where(value > 1, np.inf, value)])
    return BoundedBoosting(n_rounds=5).fit(features, bounds).booster_


@pytest.fixture(scope="module")
def content(booster: xgboost.Booster) -> bytes:
    return bytes(booster.save_raw("ubj"))


def test_what_xgboost_wrote_passes(content: bytes) -> None:
    check_booster(content, N_FEATURES)
    with pytest.raises(ModelError, match="another number of features"):
        check_booster(content, N_FEATURES + 1)


def test_decoded_as_xgboost_writes_it_in_json(booster: xgboost.Booster, content: bytes) -> None:
    found, told = read_ubjson(content), json.loads(bytes(booster.save_raw("json")))

    def same(a: object, b: object) -> bool:
        if isinstance(b, dict):
            return a.keys() == b.keys() and all(same(a[k], b[k]) for k in b)
        if isinstance(b, list):
            return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
        return a == b if isinstance(b, str) else np.float32(a) == np.float32(b)

    assert same(found, told)


ASK = f"""
import pathlib, sys
import numpy as np, xgboost
rows = xgboost.DMatrix(np.vstack([np.zeros({N_FEATURES}), np.full({N_FEATURES}, np.nan)]))
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    model = xgboost.Booster({{"nthread": 1}})
    try:
        model.load_model(bytearray(path.read_bytes()))
        assert np.isfinite(model.predict(rows, output_margin=True)).all(), path
    except xgboost.core.XGBoostError:
        pass  # refused by XGBoost itself, as an error
"""


def mutated(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 4])):
        place = rng.randrange(len(changed))
        kind = rng.randrange(4)
        if kind == 0:
            changed[place] = rng.randrange(256)
        elif kind == 1:
            changed[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del changed[place : place + rng.randrange(1, 9)]
        else:
            source = rng.randrange(len(changed))
            changed[place : place + 8] = changed[source : source + 8]
    return bytes(changed)


def test_changed_bytes_are_refused_or_harmless(content: bytes, tmp_path: Path) -> None:
    rng = random.Random(0)
    for number in range(500):
        candidate = mutated(content, rng)
        try:
            check_booster(candidate, N_FEATURES)
        except ModelError:
            continue
        (tmp_path / f"{number:03d}.ubj").write_bytes(candidate)
    # Leaves and thresholds may change: that is another model, not a broken one.
    assert len(list(tmp_path.iterdir())) > 5
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("key", "changed", "message"),
    [
        (b"left_children", -2, "a child outside the tree|one child"),
        (b"left_children", 2**31 - 1, "a child outside the tree"),
        (b"left_children", 0, "a child outside the tree"),
        (b"split_indices", 5, "it asks for other features"),
        (b"split_indices", -1, "it asks for other features"),
        (b"parents", 3, "the root has a parent"),
    ],
)
def test_indices_that_lead_nowhere(content: bytes, key: bytes, changed: int, message: str) -> None:
    place = content.index(key) + len(key)
    head = content[place : place + 4]
    assert head == b"[$l#"
    first = place + 4 + 9
    damaged = content[:first] + changed.to_bytes(4, "big", signed=True) + content[first + 4 :]
    with pytest.raises(ModelError, match=message):
        check_booster(damaged, N_FEATURES)


def test_a_leaf_that_is_no_number(content: bytes) -> None:
    place = content.index(b"split_conditions") + len(b"split_conditions[$d#") + 9
    damaged = content[:place] + b"\x7f\xc0\x00\x00" + content[place + 4 :]
    with pytest.raises(ModelError, match="split_conditions is not finite"):
        check_booster(damaged, N_FEATURES)


@pytest.mark.parametrize("keep", [0, 1, 7, 100, -1])
def test_cut_off(content: bytes, keep: int) -> None:
    with pytest.raises(ModelError, match=r"cut off|no value"):
        check_booster(content[:keep], N_FEATURES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{" * 10_000, "no length"),
        (b"[#L" + b"\0" * 7 + b"\x01" + b"[#L", "no length|cut off"),
        ((b"[#L" + b"\0" * 7 + b"\x01") * 100, "nested deeper"),
        (b"[$d#L" + b"\x7f" + b"\xff" * 7, "a length of"),
        (b"SL" + b"\xff" * 8, "a length of -1"),
        (b"Zi", "bytes behind its end"),
        (b"{L" + b"\0" * 7 + b"\x01aZL" + b"\0" * 7 + b"\x01aZ}", "twice"),
    ],
)
def test_announcements_are_not_believed(content: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_ubjson(content)
