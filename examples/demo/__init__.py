"""The demo: one experiment from `experiment.requested` to a verdict, on this machine."""
