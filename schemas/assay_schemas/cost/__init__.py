"""What an experiment will cost, before it runs: tokens, operations, memory and hours of every job of its plan.

`estimate` puts the parts together; every other module is one part, from a model's shape to the machine a job gets.
Pure functions with their sources beside them; docs/cost.md has the formulas.
"""
