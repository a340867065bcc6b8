"""Automation on Kafka: every new snapshot of a dataset is tested, and only a good one goes on."""
