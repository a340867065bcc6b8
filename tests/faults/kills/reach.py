"""Why a call that speaks to database, broker or store is not come to: by whom it is made, and in which situation.

Never excuses a call by its line: each reason holds for the function or the module that the call stands in.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from sites import Site

ELSEWHERE = {
    "on a Kubernetes cluster": r"assay_chassis/compute/kubernetes/",
    "in a command of its own, or while writing fails": r"assay_chassis/(recovery|topic_creation|kafka_probe)\.py",
    "in a job's process": r"assay_trainer/|assay_evaluator/(?!handlers\.py|choosing\.py)|.* has_ended:",
}
"""Calls that no service of an embedded system makes."""
SELDOM = {
    "several replicas of one service": r"assay_chassis/kafka_reader\.py:\d+ _handled_up_to:",
    "a part that is away": r".* (_put_off|report_delayed|report_failed|delay_all|failed):",
    "a sink that takes a report in parts": r".* begun:",
    "intake that takes longer than a third of its lease": r".* renew:",
    "a sign of life of what was cancelled a moment ago": r".* _stop:",
    "an attempt that is lost": r"assay_scheduler/reconciler\.py:\d+ expire_leases:",
    "evaluations that share a run": r"assay_scheduler/progress\.py:\d+ _note:|assay_evaluator/handlers\.py:",
    "a single job asked for over HTTP": r".* _ask_for_one:",
    "rows and models with images": r".* (sees|_keep_images|image_bytes):",
    "a reward model": r".* take_reward_model:",
    "rows of before samples were kept, or more than fit into memory": r".* (_counted|_sample):",
}
"""Situations that the rounds do not bring about."""
UNEXPLAINED = "nobody knows"


def served(sites: Iterable[Site]) -> list[Site]:
    """The calls that services of an embedded system make."""
    return [site for site in sites if not any(re.match(pattern, str(site)) for pattern in ELSEWHERE.values())]


def elsewhere(sites: Iterable[Site]) -> Counter[str]:
    return Counter(why(site, ELSEWHERE) for site in sites if why(site, ELSEWHERE) != UNEXPLAINED)


def why(site: Site, reasons: dict[str, str] = SELDOM) -> str:
    return next((reason for reason, pattern in reasons.items() if re.match(pattern, str(site))), UNEXPLAINED)
