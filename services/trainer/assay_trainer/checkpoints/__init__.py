"""Checkpoints in the object store: plain Hugging Face folders, the state to resume from, and a marker.

Safetensors and JSON only; a checkpoint without its marker does not exist.
"""
