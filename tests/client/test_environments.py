"""Python environments are asked what they have before they are declared."""

import sys
from pathlib import Path

import pytest
from assay.environments import add_environment, remove_environment, versions_file
from assay.errors import AssayError
from assay_local.second_environment import make_environment
from assay_schemas.versions import declared_versions


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("ASSAY_VERSIONS_FILE", raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))


@pytest.mark.real
def test_an_environment_with_another_engine_and_harness_is_declared_with_its_libraries(tmp_path):
    python = make_environment(tmp_path / "two", engine="2", harness="0.4.12")
    added = add_environment(python)
    assert [(one.kind, one.version) for one in added] == [("engine", "2"), ("harness", "lm-eval-0.4.12")]
    declared = declared_versions(versions_file())
    assert declared.engines["2"].python == python
    assert declared.engines["2"].libraries["assay-trainer"] == "0.2.0"
    assert declared.harnesses["lm-eval-0.4.12"].libraries["lm_eval"] == "0.4.12"
    remove_environment("engine", "2")
    assert not declared_versions(versions_file()).engines


@pytest.mark.real
def test_the_services_own_environment_needs_no_declaration():
    with pytest.raises(AssayError, match=r"engine 1.*comes with the services"):
        add_environment(Path(sys.executable))


def test_a_place_without_an_interpreter_is_refused(tmp_path):
    with pytest.raises(AssayError, match="no interpreter"):
        add_environment(tmp_path / "bin" / "python")


def test_an_interpreter_without_the_packages_is_refused(tmp_path):
    empty = tmp_path / "python"
    empty.write_text("#!/bin/sh\nexit 44\n")
    empty.chmod(0o755)
    with pytest.raises(AssayError, match="has neither assay-trainer nor assay-evaluator"):
        add_environment(empty)


def test_what_nobody_declared_cannot_be_taken_back():
    with pytest.raises(AssayError, match="engine 7: is not declared"):
        remove_environment("engine", "7")


def test_a_broken_file_is_not_overwritten(tmp_path):
    versions_file().parent.mkdir(parents=True)
    versions_file().write_text("{")
    with pytest.raises(AssayError, match=r"versions\.json.*Mend or remove it"):
        remove_environment("engine", "2")
    assert versions_file().read_text() == "{"
