"""Potentials by name and by entry point."""

import importlib.util

import pytest
from ase.build import bulk

from ionsieve.data.errors import InputError, MissingDependencyError
from ionsieve.screening.campaign.force_check import check_forces
from ionsieve.screening.engines.potentials import NEP_MODEL_VARIABLE, POTENTIALS, potential
from ionsieve.screening.engines.registry import ENGINES


def test_every_potential_is_an_engine_of_its_kind() -> None:
    for name in POTENTIALS:
        assert ENGINES[name].kind == "mlip_md"


def test_any_ase_calculator_by_its_name() -> None:
    found = potential("ase.calculators.emt:EMT")
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.05, seed=1)
    atoms.calc = found.calculator()
    assert abs(atoms.get_forces()).max() > 0
    assert found.version != "unknown"
    assert found.engine().kind == "mlip_md"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nep98", "not one of chgnet, nep89, sevennet, nor of the form"),
        ("no_such_package:make", "cannot import no_such_package"),
        ("ase.calculators.emt:Emt", "has no Emt"),
        ("ase.calculators.emt:__name__", "not callable"),
        ("os.system('true'):x", "nor of the form"),
    ],
)
def test_what_is_no_potential_is_one_line(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        potential(name)


def test_an_absent_package_says_how_it_is_had() -> None:
    for name, found in POTENTIALS.items():
        missing = [n for n in found.needs if importlib.util.find_spec(n) is None]
        if missing:
            with pytest.raises(MissingDependencyError, match=missing[0]):
                potential(name).calculator()


def test_a_model_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("calorine", reason="calorine is absent: make nep")
    monkeypatch.setenv(NEP_MODEL_VARIABLE, "/no/such/nep.txt")
    with pytest.raises(MissingDependencyError, match="no file"):
        potential("nep89").calculator()


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
@pytest.mark.parametrize("name", sorted(POTENTIALS))
def test_a_real_potential_resembles_dft(name: str) -> None:
    try:
        calculator = potential(name).calculator()
    except MissingDependencyError as error:
        pytest.skip(str(error))
    found = check_forces(calculator)
    assert found.believed, found.text()
    assert 0.5 < found.slope < 1.3
