"""Contamination: which benchmark items stand, in parts, in the snapshot that a model was trained on.

Exact overlap of word n-grams; never a judgement of what to do about it.
"""
