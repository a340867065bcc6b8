# The evaluator's image. Build from the repository's root:
#   docker build -f deploy/images/evaluator.Dockerfile -t assay-evaluator:0.1.0 .
# For NVIDIA GPUs: --build-arg VARIANT=cuda -t assay-evaluator:0.1.0-cuda
ARG VARIANT=cpu
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG CUDA_IMAGE=nvidia/cuda:13.0.1-runtime-ubuntu24.04

FROM ${PYTHON_IMAGE} AS base-cpu

# The CUDA image brings another Python than the one constraints.txt is for.
FROM ${CUDA_IMAGE} AS base-cuda
# Its packages are as new as the image: an archive keeps no older versions that could be named.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends software-properties-common \
    && add-apt-repository --yes ppa:deadsnakes/ppa \
    && apt-get install --yes --no-install-recommends python3.11 python3.11-venv \
    && ln -s /usr/bin/python3.11 /usr/local/bin/python3 \
    && rm -rf /var/lib/apt/lists/*

# hadolint ignore=DL3006
FROM base-${VARIANT} AS build
WORKDIR /src
# Who runs it may not write: without kept bytecode every start would compile the libraries.
ENV UV_COMPILE_BYTECODE=1
COPY constraints.txt requirements-dev.txt ./
COPY scripts/install.sh scripts/install.sh
COPY schemas schemas
COPY chassis chassis
COPY services/evaluator services/evaluator
RUN EDITABLE=no scripts/install.sh /opt/assay schemas chassis services/evaluator

# hadolint ignore=DL3006
FROM base-${VARIANT}
RUN useradd --create-home --uid 10001 assay
COPY --from=build /opt/assay /opt/assay
ENV PATH=/opt/assay/bin:$PATH ASSAY_HTTP_HOST=0.0.0.0 ASSAY_HTTP_PORT=8080 ASSAY_LOG_FORMAT=json
USER 10001
WORKDIR /home/assay
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
LABEL org.opencontainers.image.title="assay-evaluator" org.opencontainers.image.version="0.1.0" org.opencontainers.image.licenses="Apache-2.0"
CMD ["python", "-m", "assay_evaluator"]
