"""Compose file and images: valid, complete, and built by the same script as `make`."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml
from assay_chassis.settings import ServiceSettings
from assay_reporter.settings import ReporterSettings

ROOT = Path(__file__).parents[2]
SERVICES = ("scheduler", "trainer", "evaluator", "reporter")
COMPOSE_MODULE = "github.com/compose-spec/compose-go/v2@v2.9.0"


def compose() -> dict:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def dockerfile(service: str) -> str:
    return (ROOT / f"deploy/images/{service}.Dockerfile").read_text()


@pytest.mark.real
def test_the_compose_file_keeps_to_the_specification(tmp_path):
    if shutil.which("go") is None:
        pytest.skip("Go is missing; the Compose specification's schema comes with its Go module")
    answer = subprocess.run(
        ["go", "mod", "download", "-json", COMPOSE_MODULE], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    if answer.returncode != 0:
        pytest.skip(f"the Compose specification's module cannot be had here: {answer.stdout[:200]}")
    schema = json.loads((Path(json.loads(answer.stdout)["Dir"]) / "schema/compose-spec.json").read_text())
    document = compose()
    jsonschema.validate(document, schema)
    document["services"]["scheduler"]["helthcheck"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_has_one_image_tagged_by_version(service):
    entry = compose()["services"][service]
    assert entry["image"] == f"assay-{service}:0.1.0"
    assert (ROOT / entry["build"]["dockerfile"]).is_file()
    assert 'image.version="0.1.0"' in dockerfile(service)


@pytest.mark.parametrize("service", ["trainer", "evaluator"])
def test_images_with_models_come_for_cpu_and_cuda(service):
    text = dockerfile(service)
    assert {"AS base-cpu", "AS base-cuda"} <= {match.strip() for match in re.findall(r"AS base-\w+", text)}
    assert "ARG VARIANT=cpu" in text


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_built_by_the_script_that_make_uses_and_run_without_root(service):
    text = dockerfile(service)
    assert re.search(rf"scripts/install\.sh /opt/assay schemas chassis '?services/{service}\b", text)
    assert text.rindex("USER 10001") > text.rindex("COPY --from=build")
    for source in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / path).exists() for path in source.split()), source


def test_the_chassis_declares_what_it_imports_for_images_install_no_more_than_that():
    """Trainer and evaluator have nothing else that brings the HTTP server of every service."""
    project = tomllib.loads((ROOT / "chassis/pyproject.toml").read_text())["project"]
    declared = {re.split(r"[\[<>=]", line)[0].replace("-", "_") for line in project["dependencies"]}
    brought = {"pydantic", "pydantic_core", "opentelemetry"}  # by the schemas, and by its SDK
    imported = set()
    for path in (ROOT / "chassis/assay_chassis").rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported |= {name.split(".")[0] for name in names}
    ours = {name for name in imported if name.startswith("assay_")}
    assert imported - ours - sys.stdlib_module_names - brought <= declared


def lint(*files: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "hadolint"
    if not program.exists():
        pytest.skip("hadolint is not installed: its package brings it for Linux and macOS only; run `make venv`")
    return subprocess.run([program, "--no-color", *files], capture_output=True, text=True, timeout=60)


@pytest.mark.real
def test_the_dockerfiles_are_free_of_lint(tmp_path):
    answer = lint(*sorted((ROOT / "deploy/images").glob("*.Dockerfile")))
    assert (answer.returncode, answer.stdout) == (0, "")
    bad = tmp_path / "bad.Dockerfile"
    bad.write_text("FROM python:latest\nRUN cd /src && pip install torch\n")
    assert {"DL3007", "DL3003", "DL3013"} <= set(re.findall(r"DL\d+", lint(bad).stdout))


def test_every_setting_in_the_compose_file_exists():
    known = {f"ASSAY_{name.upper()}" for name in {*ServiceSettings.model_fields, *ReporterSettings.model_fields}}
    used = set(re.findall(r"\b(ASSAY_[A-Z0-9_]+):", (ROOT / "docker-compose.yml").read_text()))
    assert used <= known


def test_no_secret_has_a_default():
    text = (ROOT / "docker-compose.yml").read_text()
    assert "${POSTGRES_PASSWORD:?" in text
    assert "${S3_SECRET_KEY:?" in text
    assert not re.search(r"^ +[A-Z_0-9]*(PASSWORD|SECRET)[A-Z_]*: *[^$\s]", text, re.MULTILINE)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(("service", "absent"), [("scheduler", "torch"), ("reporter", "torch")])
def test_the_install_of_a_light_service_runs_in_an_empty_environment(service, absent, tmp_path):
    venv = tmp_path / "venv"
    environment = {**os.environ, "EDITABLE": "no"}
    folders = ["schemas", "chassis", f"services/{service}"]
    subprocess.run(["scripts/install.sh", venv, *folders], cwd=ROOT, env=environment, check=True, timeout=280)
    code = f"import importlib.util as u, assay_{service}.app; assert u.find_spec({absent!r}) is None; print('ready')"
    answer = subprocess.run(
        [venv / "bin/python", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert answer.stdout.strip() == "ready", answer.stderr
