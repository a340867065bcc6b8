"""Training on what the policy itself writes: sample, score, and learn from it, step by step.

Never holds a formula of one algorithm; those are in `algorithms`.
"""
