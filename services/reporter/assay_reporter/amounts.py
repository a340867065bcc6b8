"""How a difference is written, the same in reports and on pages.

Imports nothing that computes: pages use it, and they are there from the service's start.
"""

from __future__ import annotations

from assay_schemas.differences import three_digits


def amount(value: float, *, proportion: bool, signed: bool = False) -> str:
    """A difference in words: points of 100 for proportions, three significant digits otherwise; a true minus sign."""
    sign = "+" if signed else ""
    text = f"{value * 100 + 0.0:{sign}.1f}" if proportion else three_digits(value, sign)
    return text.replace("-", "−")
