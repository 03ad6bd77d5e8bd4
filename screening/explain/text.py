"""An explanation in sentences, for the terminal and for its page."""

from __future__ import annotations

import math
from typing import Final

from ..pages.text import chance_text
from .anions import AnionGroup, Net
from .contributions import ColumnShare, Explanation, MeasuredLabel, Neighbour

CLASSES: Final[dict[str, str]] = {
    "framework": "isolated anions beside a framework",
    "antistructure": "antistructure: no framework cation, so every anion is trivially isolated",
    "zintl": "Zintl phase: its anions are metals or metalloids, so electrons conduct as well",
    "none": "no isolated anion: every anion is bonded to the framework",
}
LABELS_SHOWN: Final[int] = 3
_NOISE: Final[float] = 1e-9
_NO_REACTION_EV: Final[float] = 1e-6


def headline(found: Explanation) -> str:
    """Rank, formula, id."""
    row = found.row
    return f"#{row['rank']} of {found.n_ranked:,}: {row['formula']} ({row['id']})"


def verdict_lines(found: Explanation) -> list[str]:
    """The prediction with what is known of its worth."""
    row, mobile = found.row, found.mobile
    sigma, low, high = (
        10.0 ** (3 + row[name])
        for name in ("log10_sigma_300K_S_cm", "log10_sigma_300K_low", "log10_sigma_300K_high")
    )
    return [
        f"log10 σ(300 K) = {row['log10_sigma_300K_S_cm']:.2f} (σ in S/cm), 90 % interval "
        f"{row['log10_sigma_300K_low']:.2f} to {row['log10_sigma_300K_high']:.2f}: "
        f"{_plain(sigma)} mS/cm, {_plain(low, 1)} to {_plain(high, 1)}",
        f"probability of more than {found.threshold_mS_cm:g} mS/cm: {chance_text(row['p_fast'])}; "
        "the rank goes by it",
        f"domain distance {row['domain_distance']:.2f} (1: as far as a family new to the model); "
        f"model families differ by {row['family_disagreement_log10']:.2f} decades",
        f"{CLASSES[row['isolated_class']]}; mobile species {mobile}",
        *_known_lines(found),
        *_origin_lines(found),
    ]


def _plain(number: float, digits: int = 2) -> str:
    """Few digits, without an exponent for what people say in whole numbers."""
    return f"{float(f'{number:.{digits}g}'):.6g}"


def _known_lines(found: Explanation) -> list[str]:
    row = found.row
    if row["known_relation"] == "same":
        return [
            f"is {row['known_structure']} of the AIMD table itself: the model has seen its "
            "conductivity, which is no test of it"
        ]
    if row["known_relation"] == "isostructural":
        return [f"has the structure type of {row['known_structure']} in the AIMD table"]
    if row["known_formula"]:
        return ["its formula is in the AIMD table with another structure"]
    return []


def _origin_lines(found: Explanation) -> list[str]:
    origin = found.origin
    parts = [f"source: {found.row['source']}", f"licence: {origin['licence']}"]
    parts += [f"{name}: {origin[name]}" for name in ("reference", "note") if origin[name]]
    return ["; ".join(parts)]


def share_text(decades: float) -> str:
    """A contribution with its sign."""
    return f"{decades:+.2f}".replace("-", "−")


def value_text(share: ColumnShare) -> str:
    """Value with unit."""
    if share.value is None:
        return "not defined"
    # Equal sites differ by rounding: 2e-16 eV is none.
    value = 0.0 if abs(share.value) < _NOISE else share.value
    return f"{value:.4g}" + ("" if share.unit == "1" else f" {share.unit}")


def quantile_text(share: ColumnShare) -> str:
    """Where the value lies among the ranked structures."""
    return "" if share.quantile is None else f"{100 * share.quantile:.0f} %"


def label_text(label: MeasuredLabel) -> str:
    """One AIMD label, in mS/cm."""
    if label.value_S_cm is not None:
        text = f"{_plain(1e3 * label.value_S_cm)} mS/cm"
    elif label.upper_S_cm is not None and label.lower_S_cm is not None:
        text = f"{_plain(1e3 * label.lower_S_cm)} to {_plain(1e3 * label.upper_S_cm)} mS/cm"
    elif label.upper_S_cm is not None:
        text = f"below {_plain(1e3 * label.upper_S_cm)} mS/cm"
    else:
        text = f"above {_plain(1e3 * (label.lower_S_cm or 0.0))} mS/cm"
    return f"{text} at {label.temperature_K:.0f} K" + (" (extrapolated)" if label.derived else "")


def labels_text(neighbour: Neighbour) -> str:
    """The labels nearest to room temperature with their source."""
    shown = neighbour.labels[:LABELS_SHOWN]
    more = len(neighbour.labels) - len(shown)
    text = "; ".join(label_text(label) for label in shown) + (f"; {more} more" if more else "")
    sources = ", ".join(dict.fromkeys(f"{n.source} ({n.doi})" for n in shown))
    return f"{text}: {sources}"


def anion_text(group: AnionGroup) -> str:
    """Isolated anions of one kind."""
    occupancy = "" if group.occupancy > 0.999 else f" (occupancy {group.occupancy:.2f})"
    parts = [f"{group.count} × {group.element}{occupancy}"]
    if group.site_symmetry:
        parts.append(f"site symmetry {group.site_symmetry} without the mobile ions")
    parts.append(_margin_text(group))
    parts.append(f"{group.mobile_coordination:g} mobile ions around it")
    energy = group.ewald_site_energy_eV
    parts.append(
        "no Ewald energy (cell not neutral)" if energy is None else f"Ewald energy {energy:.1f} eV"
    )
    return ", ".join(parts)


def _margin_text(group: AnionGroup) -> str:
    if not math.isfinite(group.margin):
        return "no framework cation anywhere"
    text = (
        f"margin {group.margin:.2f} (nearest framework cation "
        f"{group.nearest_framework_cation_A:.2f} Å)"
    )
    return f"{text}, ambiguous: 1.15 to 1.40" if group.is_ambiguous else text


def anion_lines(found: Explanation) -> list[str]:
    """All isolated anions, and anions whose bond is open to doubt."""
    lines = [anion_text(group) for group in found.anions]
    if found.n_ambiguous_bonded:
        lines.append(
            f"{found.n_ambiguous_bonded} anions in the cell count as bonded with a margin of 1.15 "
            "to 1.40: another definition of a bond may call them isolated"
        )
    return lines


def net_text(net: Net) -> str:
    """One net with its cages."""
    which = f"of {net.element}" if net.element else "of all isolated anions"
    reach = "critical distances of its pairs"
    if net.critical_A is not None:
        reach = f"critical distance {net.critical_A:.2f} Å"
    endless = f"endless in {net.dimension} D" if net.dimension else "not endless"
    cages = "overlap throughout the crystal" if net.cage_score >= 1 else "do not all connect"
    text = (
        f"net {which}: nearest {net.nearest_A:.2f} Å, endless in 3 D from "
        f"{net.percolation_3d_A:.2f} Å; at the {reach} {endless}; cages "
    )
    radius = "" if net.cage_radius_A is None else f"of radius {net.cage_radius_A:.2f} Å "
    return f"{text}{radius}{cages} (score {net.cage_score:.2f})"


def net_lines(found: Explanation) -> list[str]:
    """Nets by element; all together only where there are several elements."""
    by_element = [net for net in found.nets if net.element]
    return [net_text(net) for net in (found.nets if len(by_element) > 1 else by_element)]


def stability_lines(found: Explanation) -> list[str]:
    """Energy above the hull, and what the mobile metal does to it, where that is known."""
    row = found.row
    hull, low, high = (
        row.get(name) for name in ("e_above_hull_meV_atom", "li_window_low_V", "li_window_high_V")
    )
    lines = [f"{hull:.0f} meV/atom above the hull"] if _is_number(hull) else []
    if _is_number(low):
        end = f"to {high:.2f} V" if _is_number(high) else "V upwards, without a limit,"
        lines.append(f"stable from {low:.2f} {end} against Li/Li+")
    return lines + _metal_lines(found)


def _metal_lines(found: Explanation) -> list[str]:
    """What a reaction with lithium metal ends in, and by which steps, from the entries given."""
    metal = found.metal
    if metal is None or not metal.get("li_reaction_eV_atom"):
        return []
    energy = float(metal["li_reaction_eV_atom"])
    reaction = (
        "no reaction with lithium metal"
        if energy > -_NO_REACTION_EV
        else f"reacts with lithium metal to {metal['li_products']}: {energy:.3f} eV an atom"
    )
    profile = metal["li_voltage_profile"]
    return [reaction, f"voltage profile against Li/Li+: {profile}"] if profile else [reaction]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def flag_lines(found: Explanation) -> list[str]:
    """Each flag with its reasons."""
    return [f"{flag}: {'; '.join(reasons)}" for flag, reasons in found.flags.items()]


def next_lines(found: Explanation, structure_file: str) -> list[str]:
    """What would decide it."""
    mobile = "" if found.mobile == "Li" else f" --mobile {found.mobile}"
    what = "decides whether it is fast" if found.flags else "would test it"
    return [
        f"AIMD {what} (after relaxing the structure):",
        f"ionsieve campaign init STUDY {structure_file} --batch 1{mobile}",
        "ionsieve campaign propose STUDY",
    ]
