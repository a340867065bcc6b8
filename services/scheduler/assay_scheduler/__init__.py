"""The scheduler: takes experiments in, plans their jobs, reuses finished work, admits, retries and cancels.

The one commander of every job; it never trains or evaluates anything itself.
"""

__version__ = "0.1.0"
