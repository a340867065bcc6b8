"""The evaluator: selects checkpoints, runs benchmarks, and keeps every response.

Never decides what is evaluated or when, and never what a score means.
"""
