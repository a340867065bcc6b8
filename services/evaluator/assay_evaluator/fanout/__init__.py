"""One evaluation over several processes: each takes the next shard when it is free, and a lost one loses only that.

Never changes a number: a shard is a batch that one process alone would compute, and its samples' seed is the batch's.
"""
