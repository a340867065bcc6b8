"""Re-scoring: stored responses judged again, by another extraction, comparison or strictness.

Never runs a model and never changes the file that was stored.
"""
