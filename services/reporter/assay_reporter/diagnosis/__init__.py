"""Why scores differ and what is odd in the data: pure functions of texts and rows, without any model.

Never decides a verdict and never reads a store.
"""
