"""Regression against published figures: a table of rows, and what this installation gives for each.

Never downloads: a row whose model or data is not on this machine is listed as not run, with the reason.
"""
