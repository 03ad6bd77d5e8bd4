"""dscribe at the mobile ions as a family, against the project's own kernel."""

import numpy as np
import pytest

import structures
from ionsieve.features import prepare
from ionsieve.features.catalogue import catalogue, descriptor_code, families
from ionsieve.features.core.columns import DSCRIBE
from ionsieve.features.featurizer import featurize_one
from ionsieve.features.similarity.acsf import N_RADIAL, environment_vectors
from ionsieve.features.void.host import host_of


@pytest.mark.parametrize("name", ["Li6PS5Cl_F43m", "Li3InCl6_ordered", "Li3PO4"])
def test_values_agree_with_the_own_kernel(name: str) -> None:
    row = featurize_one(structures.get(name), families([DSCRIBE]))
    assert row.values is not None
    host = host_of(prepare(structures.get(name)))
    own = environment_vectors(host, host.mobile_frac @ host.lattice)
    summed = own.reshape(len(own), -1, N_RADIAL).sum(axis=1)
    expected = np.concatenate([summed.mean(axis=0), summed.std(axis=0)])
    assert list(row.values.values()) == pytest.approx(expected.tolist(), rel=1e-5, abs=1e-6)


def test_partly_occupied_crystals_are_nan_with_a_reason() -> None:
    row = featurize_one(structures.get("LGPS_exp"), families([DSCRIBE]))
    assert "dscribe:ACSF: a partly occupied structure" in row.reason
    assert np.isnan(list(row.values.values())).all()


def test_columns_are_in_the_catalogue_when_asked_for() -> None:
    assert len(catalogue([DSCRIBE])) == 2 * N_RADIAL
    assert descriptor_code(["density", DSCRIBE]) != descriptor_code(["density"])
