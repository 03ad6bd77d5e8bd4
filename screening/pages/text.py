"""Numbers as people read them, on terminal and page alike."""

from __future__ import annotations

_MINUS = "−"


def chance_text(chance: float) -> str:
    """A probability to two digits; 0.00 and 1.00 only for what is certain.

    Parameters
    ----------
    chance : float
        From 0 to 1.
    """
    text = f"{chance:.2f}"
    if text == "1.00" and chance < 1.0:
        return ">0.99"
    return "<0.01" if text == "0.00" and chance > 0.0 else text


def signed_text(value: float, digits: int = 2) -> str:
    """A number with a true minus."""
    return f"{value:.{digits}f}".replace("-", _MINUS)


def hours_text(hours: float) -> str:
    """Core hours to three digits, with commas."""
    return f"{float(f'{hours:.3g}'):,.0f}" if hours >= 10 else f"{hours:.2g}"


def count_text(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def shortened(text: str, width: int) -> str:
    """At most so many characters: the middle goes, beginning and end tell names apart."""
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"
