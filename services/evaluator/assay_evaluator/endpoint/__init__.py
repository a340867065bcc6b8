"""Asks models behind an OpenAI-compatible API: what an endpoint engine and a judge both need.

Never decides what an answer is worth; importing this package is quick.
"""

from assay_evaluator.endpoint.client import EndpointClient, open_client
from assay_evaluator.endpoint.messages import Answer, Echo, Question, Unanswered

__all__ = ["Answer", "Echo", "EndpointClient", "Question", "Unanswered", "open_client"]
