"""Real grade-school problems: what the pilot learns from full, bare and exchanged solutions."""
