"""One submitted experiment: wait for it with progress, then read its verdicts, responses and report.

Waiting only watches: Ctrl-C stops the waiting, never the experiment.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from assay_schemas.artifacts import experiment_prefix, report_prefix
from assay_schemas.envelope import Event
from assay_schemas.reports import ReportDocument
from assay_schemas.results import ExperimentResult, Plan
from assay_schemas.topics import TOPICS

from assay import stream
from assay.blocking import run_blocking
from assay.errors import AssayError, NotFound, Refused, TimedOut
from assay.settings import ClientSettings, load_settings
from assay.store import Store
from assay.view import TOPICS as WATCHED
from assay.view import ExperimentView

if TYPE_CHECKING:
    import pandas as pd

    from assay.gate import Decision


class Run:
    """An experiment by its id, on the system that `settings` name."""

    def __init__(
        self, experiment_id: str, settings: ClientSettings | None = None, since: datetime | None = None
    ) -> None:
        self.id = experiment_id
        self.settings = settings or load_settings()
        self._since = since
        self._store = Store(self.settings)

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    def __str__(self) -> str:
        return self.id

    @property
    def url(self) -> str:
        """The live page of this experiment."""
        return f"{self.settings.web_url.rstrip('/')}/experiments/{self.id}" if self.settings.web_url else ""

    def watch(self, on_change: Callable[[ExperimentView], Any], timeout_s: float | None = None) -> ExperimentView:
        """Calls `on_change` with the view whenever it changed, until the report is published or it was refused.

        Raises TimedOut; the experiment goes on.
        """
        return run_blocking(self._watch(on_change, lambda view: view.ended, timeout_s))

    def answer(self, timeout_s: float = 30.0) -> ExperimentView:
        """Waits for the scheduler's yes or no. Raises Refused with all problems, and TimedOut."""
        view = run_blocking(
            self._watch(lambda _: None, lambda view: view.accepted is not None or view.rejected is not None, timeout_s)
        )
        return _not_refused(view)

    def wait(self, timeout_s: float | None = None) -> Run:
        """Shows progress until the report is published. Raises Refused when the experiment was, and TimedOut."""
        from assay.live import LiveProgress

        if self._reported():
            return self  # events of the past come in no order across topics: they would show a progress that never was
        with LiveProgress() as live:
            try:
                view = self.watch(live.update, timeout_s)
            except KeyboardInterrupt:
                live.interrupted(self.id)
                raise
        _not_refused(view)
        return self

    def report(self) -> ReportDocument:
        """The report as data. Raises NotFound while there is none."""
        return ReportDocument.model_validate_json(self.report_text("json"))

    def report_text(self, form: str = "md") -> str:
        """The report as text: `html`, `md` or `json`. Raises NotFound while there is none."""
        try:
            return self._store.read(self.report_uri(form)).decode()
        except NotFound as error:
            raise NotFound(f"Experiment {self.id} has no report (yet). {self._look()}") from error

    def _reported(self) -> bool:
        """Also False of a store that does not answer: events tell the same, and what reads the report says why."""
        try:
            self._store.read(self.report_uri("json"))
        except AssayError:
            return False
        return True

    def report_uri(self, form: str) -> str:
        return self._store.uri(f"{report_prefix(self.id)}/report.{form}")

    def verdicts(self) -> pd.DataFrame:
        """A row for each comparison: arm, benchmark, verdict, difference, interval, corrected p."""
        import pandas as pd

        return pd.DataFrame([verdict.model_dump() for verdict in self.report().verdicts])

    def responses(self, benchmark: str, *, flips: bool = False) -> pd.DataFrame:
        """Every response on a benchmark, control's beside each arm's; only items whose score changed with `flips`."""
        from assay.responses import responses

        return responses(self.plan(), self.result(), self._store, benchmark, flips=flips)

    def samples(self, benchmark: str) -> pd.DataFrame:
        """Every sample of every replicate on a benchmark, control's too, with all its columns (docs/samples.md)."""
        from assay.responses import samples

        return samples(self.plan(), self.result(), self._store, benchmark)

    def curves(self) -> pd.DataFrame:
        """What every training run logged, a row a step: `run.curves().pivot_table("loss", "step", "arm").plot()`."""
        from assay.responses import curves

        return curves(self.plan(), self.result(), self._store)

    def gate(self, policy: Mapping[str, Any]) -> Decision:
        """Whether the verdicts meet a policy. Raises Refused for a policy with problems, NotFound without a report."""
        from assay.gate import decide
        from assay.policy import read_policy

        return decide(read_policy(policy), self.id, self.report().verdicts)

    def plan(self) -> Plan:
        """What is done. Raises NotFound until the experiment is accepted."""
        return Plan.model_validate_json(self._own("plan.json", "is not planned (yet)"))

    def result(self) -> ExperimentResult:
        """How every job ended. Raises NotFound until the experiment is complete."""
        return ExperimentResult.model_validate_json(self._own("result.json", "has not ended (yet)"))

    def _own(self, name: str, lacking: str) -> bytes:
        """A file of this experiment. Raises NotFound in words where it is not there."""
        try:
            return self._store.read(self._store.uri(f"{experiment_prefix(self.id)}/{name}"))
        except NotFound as error:
            raise NotFound(f"Experiment {self.id} {lacking}. {self._look()}") from error

    def _look(self) -> str:
        return f"`assay status {self.id[:8]}` says how far it is, or why it was refused."

    def status(self) -> dict[str, Any]:
        """The scheduler's view: every job, arm by arm, and why it was or was not reused."""
        from assay.api import Api

        return Api(self.settings).experiment(self.id)

    def cancel(self, reason: str = "") -> None:
        """Asks to stop the experiment; jobs other experiments want go on."""
        event = Event(
            id=str(uuid.uuid4()),
            source=self.settings.source,
            type="experiment.cancel.requested",
            time=datetime.now(UTC),
            data={"experiment_id": self.id, "reason": reason},
            key=self.id,
            subject=self.id,
            dataschema=TOPICS["experiment.cancel.requested"].dataschema,
            correlationid=self.id,
        )
        run_blocking(stream.publish(self.settings, [event]))

    def _repr_html_(self) -> str:
        from assay.notebook import report_html, unreported_html

        try:
            return report_html(self.report())
        except NotFound:
            return unreported_html(self.id, self.url)

    async def _watch(
        self,
        on_change: Callable[[ExperimentView], Any],
        enough: Callable[[ExperimentView], bool],
        timeout_s: float | None,
    ) -> ExperimentView:
        view = ExperimentView(self.id)
        try:
            async with asyncio.timeout(timeout_s):
                async for event in self._events():
                    if event is not None and view.seen(event):
                        self._learn_plan(view)
                        on_change(view)
                    if enough(view):
                        return view
        except TimeoutError as error:
            raise TimedOut(f"Experiment {self.id} did not get that far in {timeout_s:.0f} s; it goes on.") from error
        raise AssertionError("events are followed for ever")

    def _events(self) -> AsyncIterator[Event | None]:
        return stream.events(self.settings, WATCHED, self._since)

    def _learn_plan(self, view: ExperimentView) -> None:
        if view.accepted is not None and not view.jobs:
            view.plan_is(Plan.model_validate_json(self._store.read_ref(view.accepted.plan)))


def _not_refused(view: ExperimentView) -> ExperimentView:
    if view.rejected is not None:
        raise Refused(view.rejected.problems)
    return view
