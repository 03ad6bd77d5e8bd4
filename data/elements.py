"""Element symbols, so that the records need no heavy import to validate a species."""

from typing import Final

_SYMBOLS_BY_PERIOD: Final[str] = """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm
Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No
Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""

SYMBOLS: Final[tuple[str, ...]] = tuple(_SYMBOLS_BY_PERIOD.split())
"""Symbols ordered by atomic number, starting with hydrogen."""

ATOMIC_NUMBER: Final[dict[str, int]] = {s: z for z, s in enumerate(SYMBOLS, start=1)}
"""Atomic number by symbol."""
