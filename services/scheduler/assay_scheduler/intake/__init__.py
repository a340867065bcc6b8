"""Takes experiments in: looks up, checks and snapshots data and models, outside any transaction.

Finds every problem at once; never plans and never launches.
"""
