"""Forces against stored DFT forces: what resembles them passes, wrong weights do not."""

import numpy as np
import pytest
from ase.calculators.calculator import Calculator

from ionsieve.data.errors import InputError
from ionsieve.screening.campaign import prescreen
from ionsieve.screening.campaign.force_check import check_forces, dft_frames
from ionsieve.screening.engines.potentials import Potential


class Stored(Calculator):
    """Gives the stored forces back, changed by a function."""

    implemented_properties = ("energy", "forces")

    def __init__(self, change) -> None:
        super().__init__()
        self.change = change
        self.by_positions = {
            np.round(f["positions_A"], 4).tobytes(): np.array(f["forces_eV_A"])
            for f in dft_frames()
        }

    def calculate(self, atoms=None, properties=("forces",), system_changes=()) -> None:
        stored = self.by_positions[np.round(atoms.get_positions(), 4).tobytes()]
        self.results = {"energy": 0.0, "forces": self.change(stored)}


def test_frames_are_forces_of_crystals_at_rest_as_a_whole() -> None:
    for frame in dft_frames():
        forces = np.array(frame["forces_eV_A"])
        assert forces.shape == np.shape(frame["positions_A"])
        assert np.abs(forces.sum(axis=0)).max() < 0.05 * np.abs(forces).max()


def test_the_same_forces_have_no_error() -> None:
    found = check_forces(Stored(lambda f: f))
    assert found.error_eV_A == 0
    assert found.slope == pytest.approx(1, rel=1e-12, abs=0)
    assert found.believed


def test_a_soft_potential_is_believed_and_its_slope_says_so() -> None:
    found = check_forces(Stored(lambda f: 0.75 * f))
    assert found.slope == pytest.approx(0.75, rel=1e-9, abs=0)
    assert found.believed


@pytest.mark.parametrize(
    "change",
    [lambda f: -f, lambda f: f[::-1], np.zeros_like, lambda f: 5 * f],
    ids=("turned", "misplaced", "none", "fivefold"),
)
def test_wrong_forces_are_not_believed(change) -> None:
    assert not check_forces(Stored(change)).believed


def _turned() -> Calculator:
    return Stored(lambda f: -f)


def test_a_prescreen_refuses_what_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Potential(name="m:wrong", package="ase", needs=(), make=_turned, source="this test")
    monkeypatch.setattr(prescreen, "potential", lambda name: made)
    with pytest.raises(InputError, match=r"forces against DFT .*it is not run"):
        prescreen.believed_potential("m:wrong")
