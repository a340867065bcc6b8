"""The drift canary: a fixed tiny model, fixed items for each benchmark, and the responses it once gave.

A new harness or library that changes any of them is noticed here, before anyone's experiment meets it.
"""
