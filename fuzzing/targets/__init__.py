"""Every entrance that is fuzzed, by name."""

from __future__ import annotations

from collections.abc import Callable

from fuzzing.target import Target
from fuzzing.targets.cursors import Cursors
from fuzzing.targets.datasets import ClientRows, IntakeRows
from fuzzing.targets.events import Events
from fuzzing.targets.policies import Policies
from fuzzing.targets.rendering import Pages, SlackMessages
from fuzzing.targets.specifications import Specifications

TARGETS: dict[str, Callable[[], Target]] = {
    target.name: target
    for target in (Events, Specifications, IntakeRows, ClientRows, Policies, Cursors, SlackMessages, Pages)
}
