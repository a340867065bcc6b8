"""The reporter: what an experiment's results mean, as verdicts with their evidence, in reports, pages and messages.

Never trains, evaluates or schedules anything; all it knows can be made again from the events and the object store.
"""
