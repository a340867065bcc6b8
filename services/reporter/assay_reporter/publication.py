"""Makes the reports that are due: evidence, document, files in the object store, then `report.published`.

The row is locked while a report is made, so replicas never make the same one at once; the event's id is
the experiment's, so making it again publishes the same event.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module

from assay_chassis import tracing
from assay_chassis.app import ServiceApp
from assay_chassis.errors import AssayError, Transient
from assay_chassis.object_store import ObjectNotFound, ObjectStore
from assay_chassis.outbox import Transaction
from assay_chassis.publishing import make_event
from assay_schemas.artifacts import ArtifactRef, report_prefix
from assay_schemas.envelope import Event
from assay_schemas.events import ReportPublished
from assay_schemas.ids import event_id
from assay_schemas.reports import ReportDocument, Verdict
from assay_schemas.results import ExperimentResult
from jinja2 import TemplateError
from pydantic import ValidationError

from assay_reporter.baselines import baselines_of
from assay_reporter.budget import SOURCE, look_at, next_look, request_id
from assay_reporter.evidence import Evidence, gather_evidence
from assay_reporter.last_words import stopped, with_last_words, worth_waiting
from assay_reporter.pictures import pictures_of
from assay_reporter.render import FORMS, render_html
from assay_reporter.sinks.declared import DeclaredSinks
from assay_reporter.sinks.store import DeliveryStore
from assay_reporter.store import DueReport, ReadModel
from assay_reporter.training_rows import with_training_rows

POLL_S = 1.0
WARM_UP_AFTER_S = 2.0
"""Drawing the first chart holds up the whole process for most of a second: not while it is waited for to be ready."""
MOST_TRIES = 8
LONGEST_EVENT_VERDICTS = 100
Made = tuple[ReportDocument, dict[str, str]]
"""A report, and its text in every form."""
# One report that cannot be made never keeps the others from being made.
BUGS_AND_BAD_EVIDENCE = (
    AssayError, ValueError, TypeError, AttributeError, ArithmeticError, LookupError, TemplateError,
)  # fmt: skip


class Publication:
    """The background work that turns due reports into published ones."""

    def __init__(
        self, app: ServiceApp, web_url: Callable[[], str], sinks: DeclaredSinks, delivered: Callable[[], None]
    ) -> None:
        """`delivered` is told that something may be due for a sink."""
        self._app = app
        self._web_url = web_url
        self._sinks = sinks
        self._delivered = delivered
        self._news = asyncio.Event()

    def hint(self) -> None:
        """Something may be due soon; without a hint the next poll finds it."""
        self._news.set()

    async def run(self) -> None:
        """Makes reports one after another, for ever; those that were given up once more first, since what broke them
        may be mended by what this start brings."""
        async with self._app.transaction() as tx:
            await ReadModel(tx.connection).failed_reports_again(MOST_TRIES - 1)
        if not await self.make_one():
            await self._pause(WARM_UP_AFTER_S)
            await asyncio.to_thread(warm_up)
        while True:
            if not await self.make_one():
                await self._pause(POLL_S)

    async def _pause(self, seconds: float) -> None:
        """Until something may be due, or until that time is over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        self._news.clear()

    async def make_one(self) -> bool:
        """Makes the report that is longest due; False where none is."""
        async with self._app.transaction() as tx:
            model = ReadModel(tx.connection)
            due = await model.take_due_report()
            if due is None:
                return False
            try:
                with tracing.span("report", correlation=due.experiment_id, tries=due.tries):
                    await self._publish(due, tx, model)
            except Transient as error:
                await model.report_delayed(due.experiment_id, str(error), min(2.0**due.tries, 60.0))
            except BUGS_AND_BAD_EVIDENCE as error:
                await self._give_up(due, model, error)
        self._delivered()
        return True

    async def _give_up(self, due: DueReport, model: ReadModel, error: Exception) -> None:
        """What does not mend itself is tried a few times and then shown on the page."""
        self._app.log.error("the report could not be made", experiment_id=due.experiment_id, exc_info=error)
        words = f"{type(error).__name__}: {error}"
        if due.tries + 1 < MOST_TRIES:
            await model.report_delayed(due.experiment_id, words, 2.0**due.tries)
        else:
            await model.report_failed(due.experiment_id, words)

    async def _publish(self, due: DueReport, tx: Transaction, model: ReadModel) -> None:
        evidence = await self._evidence(due, model)
        if evidence is None:
            await model.report_waits(due.experiment_id, POLL_S)
            return
        asked = evidence.plan.spec.sinks
        report, texts = await self._made(due, evidence, asked)
        refs = await write_report(self._app.store, report, texts)
        await model.report_made(report.experiment_id, report.sentence)
        body = published(report, refs, self._web_url())
        await DeliveryStore(tx.connection).due(report.experiment_id, asked, self._sinks, body.model_dump(mode="json"))
        event = make_event(
            "report.published",
            body,
            key=report.experiment_id,
            source=self._app.name,
            id=event_id("report.published", report.experiment_id),
            correlation=report.experiment_id,
        )
        await tx.publish(event.model_copy(update={"causationid": due.caused_by}))
        for following in events_of_the_look(evidence, report, event.id):
            await tx.publish(following)
        self._app.log.info("report published", experiment_id=report.experiment_id, sentence=report.sentence)

    async def _evidence(self, due: DueReport, model: ReadModel) -> Evidence | None:
        """All that the report rests on; None while the last words of stopped jobs are worth waiting for."""
        store = self._app.store
        result = ExperimentResult.model_validate_json(await store.get_bytes(due.result))
        unsaid = 0
        if attempts := stopped(result.ends):
            told = await model.usage_of(attempts)
            if worth_waiting(result, told, self._app.clock.now()):
                return None
            result, unsaid = with_last_words(result, told), len(set(attempts) - told.keys())
        evidence = await with_training_rows(store, await gather_evidence(store, result))
        return replace(evidence, baselines=await model.first_baselines(baselines_of(evidence)), unsaid=unsaid)

    async def _made(self, due: DueReport, evidence: Evidence, asked: Sequence[str]) -> Made:
        """The report that was made before, else a new one. `asked`: sinks that the experiment names."""
        made = await kept_report(self._app.store, due.experiment_id)
        if made is not None:
            return made
        unknown = [self._sinks.unknown(name) for name in dict.fromkeys(asked) if name not in self._sinks]
        return await _with_pictures(self._app.store, *await asyncio.to_thread(_compiled, evidence, unknown))


def events_of_the_look(evidence: Evidence, report: ReportDocument, caused_by: str) -> list[Event]:
    """Of an experiment with a budget: what this look decided, and the request of the next where one follows."""
    decided = look_at(evidence.plan, report.verdicts, evidence.result.outcome)
    if decided is None:
        return []
    key, correlation = report.experiment_id, decided.first
    identity = event_id("experiment.budget", key)
    said = [make_event("experiment.budget", decided, key=key, source=SOURCE, id=identity, correlation=correlation)]
    if decided.next is not None:
        body, asked = next_look(evidence.plan, decided), request_id(key)
        request = make_event("experiment.requested", body, key=decided.next, source=SOURCE, id=asked,
                             correlation=correlation)  # fmt: skip
        # As a person would write it: a specification that names `model: null` has both dataset and model.
        said.append(request.model_copy(update={"data": body.model_dump(mode="json", exclude_none=True)}))
    return [event.model_copy(update={"causationid": caused_by}) for event in said]


def _compiled(evidence: Evidence, unknown: list[str]) -> Made:
    """Dated by the experiment's end, so that a rebuild gives the same bytes. `unknown`: sinks that are none."""
    from assay_reporter.compile import compile_report  # with SciPy: half a second that the start does not wait for

    report = compile_report(evidence, evidence.result.completed_at)
    report = report.model_copy(update={"next_steps": [*report.next_steps, *unknown]})
    return report, {form: render(report) for form, (render, _) in FORMS.items()}


async def _with_pictures(store: ObjectStore, report: ReportDocument, texts: dict[str, str]) -> Made:
    """The images that the report shows put into its page."""
    if pictures := await pictures_of(store, report):
        texts = {**texts, "html": await asyncio.to_thread(render_html, report, pictures)}
    return report, texts


async def kept_report(store: ObjectStore, experiment_id: str) -> Made | None:
    """The report that was made before, whole: what people and events refer to is never made differently a second
    time, by a rebuild say, or by another version. None where there is none, or not every form of it."""
    prefix, texts = report_prefix(experiment_id), {}
    try:
        for form in FORMS:
            texts[form] = (await store.get_bytes(f"{prefix}/report.{form}")).decode()
        return ReportDocument.model_validate_json(texts["json"]), texts
    except (ObjectNotFound, UnicodeDecodeError, ValidationError):
        return None


async def write_report(store: ObjectStore, report: ReportDocument, texts: dict[str, str]) -> dict[str, ArtifactRef]:
    """Writes every form of a report; its reference by form."""
    prefix = report_prefix(report.experiment_id)
    return {
        form: await store.put_bytes(f"{prefix}/report.{form}", text.encode(), media_type=FORMS[form][1])
        for form, text in texts.items()
    }


def published(report: ReportDocument, refs: dict[str, ArtifactRef], web_url: str) -> ReportPublished:
    """The event's payload. Of very many verdicts the exploratory stay in the document."""
    return ReportPublished.model_validate(
        {
            "experiment_id": report.experiment_id,
            "name": report.name,
            "outcome": report.outcome,
            "sentence": report.sentence[:4000],
            "verdicts": [one.model_dump() for one in _leading(report.verdicts)],
            "html": refs["html"],
            "markdown": refs["md"],
            "document": refs["json"],
            "url": f"{web_url.rstrip('/')}/experiments/{report.experiment_id}" if web_url else "",
        }
    )


def _leading(verdicts: list[Verdict]) -> list[Verdict]:
    order = {"primary": 0, "check": 1, "exploratory": 2}
    return sorted(verdicts, key=lambda one: order[one.family])[:LONGEST_EVENT_VERDICTS]


def warm_up() -> None:
    """Imports what the first report needs, so that it does not wait for it."""
    from assay_reporter.render.charts import svg
    from assay_reporter.render.html import REPORT_TEMPLATES, environment

    for name in ("assay_reporter.compile", "pyarrow.parquet", "pyarrow.compute"):
        import_module(name)
    for name in REPORT_TEMPLATES:
        environment().get_template(name)
    svg({"data": {"values": []}, "mark": "point"})
