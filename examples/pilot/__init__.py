"""The pilot: a small Llama-architecture model made in this repository, for demos and tests.

Plain torch and transformers; never imports the platform.
"""
