"""What services are built on: Kafka, PostgreSQL, the object store, running jobs, health and telemetry.

Knows no service's rules; imports the schemas alone of what is ours.
"""
