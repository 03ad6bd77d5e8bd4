"""Norm-conserving potentials by ld1.x for tests of pw.x: they move atoms, and give no results."""

import subprocess
from pathlib import Path

LD1 = """&input
  title='{name}', zed={z}, rel=0, beta=0.5, iswitch=3, dft='PBE', config='{config}'
/
&inputp
  pseudotype=1, lloc=0, tm=.true., file_pseudopw='pseudo/{name}.upf'
/
2
{p}  2  1  {n_p}  0.00  {r}  {r}
{s}  1  0  {n_s}  0.00  {r}  {r}
"""
"""Troullier–Martins, an s channel as the local one and a p projector."""
ATOMS = {
    "Li": {"z": "3.0", "config": "[He] 2s1 2p0.0", "p": "2P", "n_p": "0.00", "s": "2S",
           "n_s": "1.00", "r": "2.40"},
    "H": {"z": "1.0", "config": "1s0.9 2p0.1", "p": "2P", "n_p": "0.10", "s": "1S",
          "n_s": "0.90", "r": "1.20"},
}  # fmt: skip


def make_pseudopotentials(where: Path) -> None:
    """Write pseudo/Li.upf and pseudo/H.upf."""
    (where / "pseudo").mkdir()
    for name, given in ATOMS.items():
        subprocess.run(
            ["ld1.x"], cwd=where, input=LD1.format(name=name, **given), text=True, check=True,
            capture_output=True,
        )  # fmt: skip
