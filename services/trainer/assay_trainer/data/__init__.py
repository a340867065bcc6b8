"""From a dataset snapshot to batches: rows, their split, their order, and packing.

Never knows an algorithm: what a row means is the algorithm's.
"""
