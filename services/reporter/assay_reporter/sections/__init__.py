"""The report's sections in their order: each is one file with one function from findings to a section.

To add one: write its file and list its function here. A function returns None where it has nothing to say.
"""

from collections.abc import Callable

from assay_reporter.blocks import Section
from assay_reporter.sections.budget import budget
from assay_reporter.sections.comparisons import comparisons
from assay_reporter.sections.data import data
from assay_reporter.sections.failures import failures
from assay_reporter.sections.findings import Findings
from assay_reporter.sections.flips import flips
from assay_reporter.sections.giveaways import giveaways
from assay_reporter.sections.price import price
from assay_reporter.sections.provenance import provenance
from assay_reporter.sections.shortcuts import shortcuts
from assay_reporter.sections.strata import strata
from assay_reporter.sections.training import training
from assay_reporter.sections.why import why

SECTIONS: tuple[Callable[[Findings], Section | None], ...] = (
    comparisons,
    budget,
    failures,
    why,
    shortcuts,
    flips,
    strata,
    training,
    data,
    giveaways,
    price,
    provenance,
)

__all__ = ["SECTIONS", "Findings"]
