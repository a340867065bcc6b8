"""Simulated services say nothing."""

from __future__ import annotations

from simulation.parts.replacements import quiet

quiet()
