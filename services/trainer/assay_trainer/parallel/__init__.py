"""One training job over many processes, with PyTorch's own parts: device mesh, FSDP2, DTensor, pipelining.

Changes how a run is computed, never what: loss and gradient are those of one process but for rounding.
"""
