"""Wires the reporter: handlers, the making of reports, their delivery, and its pages."""

from __future__ import annotations

from assay_chassis.app import ServiceApp
from assay_chassis.broker import Broker

from assay_reporter.handlers import Handlers
from assay_reporter.publication import Publication
from assay_reporter.settings import ReporterSettings
from assay_reporter.sinks import Deliveries, read_sinks
from assay_reporter.web import make_web


def make_app(settings: ReporterSettings, broker: Broker | None = None) -> ServiceApp:
    """The reporter, ready to `run`; `broker` replaces Kafka in tests."""
    app = ServiceApp("reporter", settings, migrations="assay_reporter", broker=broker)

    def web_url() -> str:
        return settings.web_url or f"http://{settings.http_host}:{app.http_port}"

    sinks = read_sinks(settings)
    deliveries = Deliveries(app, sinks)
    publication = Publication(app, web_url, sinks, deliveries.hint)
    Handlers(app, publication, sinks).register()
    app.background("publication", publication.run)
    app.background("deliveries", deliveries.run)
    app.mount(make_web(app))
    return app
