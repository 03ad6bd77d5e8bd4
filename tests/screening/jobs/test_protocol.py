"""Protocol settings are checked where they are given."""

import pytest

from ionsieve.data.errors import InputError
from ionsieve.screening.jobs.protocol import ProtocolSettings, RelaxationSettings


@pytest.mark.parametrize(
    "wrong",
    [{"start_K": ()}, {"ladder_K": (-1.0,)}, {"time_step_fs": 0}, {"frame_spacing_fs": 1.0}],
)
def test_protocol_is_checked(wrong) -> None:
    with pytest.raises(InputError):
        ProtocolSettings(**wrong)


def test_relaxation_may_be_given_as_a_mapping() -> None:
    assert ProtocolSettings(relaxation={"by": "none"}).relaxation == RelaxationSettings(by="none")
    with pytest.raises(InputError, match="force_eV_A"):
        ProtocolSettings(relaxation={"force_eV_A": 0.0})
