"""Reinforcement learning from a verifier: prompts with answers, some of them wrong on purpose."""
