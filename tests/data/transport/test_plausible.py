"""Labels that no material has are refused with their row; those of the tables pass."""

import math
from pathlib import Path

import pytest

from ionsieve.data.errors import LabelError
from ionsieve.data.transport.label_table import read_label_table
from ionsieve.data.transport.plausible import temperature_problem, value_problem

HEAD = "structure_id,temperature_K,kind,quantity,value,lower,upper,error_log10,group,source\n"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,1e300,aimd,sigma_S_cm,0.01,,,,,", "column temperature_K: 1e[+]300 K is above 5000 K"),
        (
            "a,25,aimd,sigma_S_cm,0.01,,,,,",
            "column temperature_K: 25 K is below 100 K; is it in °C",
        ),
        ("a,300,aimd,sigma_S_cm,12000,,,,,", "column value: 12000 is more than the 1 S/cm"),
        ("a,300,aimd,sigma_S_cm,1e300,,,,,", "column value: 1e[+]300 is more than"),
        ("a,300,aimd,sigma_S_cm,12,,,,,", "is it in mS/cm"),
        ("a,500,aimd,sigma_S_cm,,,25,,,", "column upper: 25 is more than the 3 S/cm"),
        ("a,1000,aimd,sigma_S_cm,,25,,,,", "column lower: 25 is more than the 20 S/cm"),
        ("a,1000,aimd,sigma_S_cm,1e-300,,,,,", "column value: 1e-300 is below 1e-40"),
        ("a,1000,aimd,diffusivity_cm2_s,0.5,,,,,", "column value: 0.5 is above 0.01 cm2/s"),
        (",,aimd,t_onset_K,9000,,,,,", "9000 is not 10 to 5000 K"),
    ],
)
def test_the_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "labels.csv"
    row = row if row[0] != "," else f"a{row}"
    path.write_text(f"{HEAD}good,300,aimd,sigma_S_cm,0.01,,,,,\n{row}\n", encoding="utf-8")
    with pytest.raises(LabelError, match=f"row 2, .*{message}"):
        read_label_table(path)


@pytest.mark.parametrize(
    ("quantity", "value", "temperature_K"),
    [
        ("sigma_S_cm", 0.27, 300.0),  # RbAg4I5
        ("sigma_S_cm", 1.3, 420.0),  # α-AgI
        ("sigma_S_cm", 9.0, 1150.0),  # molten LiF
        ("sigma_S_cm", 4e-18, 298.15),
        ("sigma_S_cm", 9.0, math.nan),
        ("diffusivity_cm2_s", 1e-4, 1500.0),
        ("t_onset_K", 700.0, math.nan),
        ("diffuses", 0.0, 700.0),
        ("sigma_S_cm", math.nan, 300.0),
    ],
)
def test_what_there_is_passes(quantity: str, value: float, temperature_K: float) -> None:
    assert value_problem(quantity, value, temperature_K) == ""
    assert temperature_problem(temperature_K) == ""
