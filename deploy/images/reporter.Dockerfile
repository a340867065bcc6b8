# The reporter's image. Build from the repository's root:
#   docker build -f deploy/images/reporter.Dockerfile -t assay-reporter:0.1.0 .

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
# Who runs it may not write: without kept bytecode every start would compile the libraries.
ENV UV_COMPILE_BYTECODE=1
COPY constraints.txt requirements-dev.txt ./
COPY scripts/install.sh scripts/install.sh
COPY schemas schemas
COPY chassis chassis
COPY services/reporter services/reporter
RUN EDITABLE=no scripts/install.sh /opt/assay schemas chassis services/reporter

FROM ${PYTHON_IMAGE}
RUN useradd --create-home --uid 10001 assay
COPY --from=build /opt/assay /opt/assay
ENV PATH=/opt/assay/bin:$PATH ASSAY_HTTP_HOST=0.0.0.0 ASSAY_HTTP_PORT=8080 ASSAY_LOG_FORMAT=json
USER 10001
WORKDIR /home/assay
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
LABEL org.opencontainers.image.title="assay-reporter" org.opencontainers.image.version="0.1.0" org.opencontainers.image.licenses="Apache-2.0"
CMD ["python", "-m", "assay_reporter"]
