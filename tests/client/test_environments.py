"""Python environments are asked what they have before they are declared."""

import sys
from pathlib import Path

import pytest
from assay.cli.images import add
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
    assert not added.lacking
    assert [(one.kind, one.version) for one in added.versions] == [("engine", "2"), ("harness", "lm-eval-0.4.12")]
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


def without_lm_eval(folder: Path, *, engine: str) -> Path:
    """The interpreter of an environment whose evaluator was installed without lm-eval."""
    python = make_environment(folder, engine=engine)
    packages = next(folder.glob("lib/python*/site-packages"))
    hidden = "import importlib.metadata as m; m.Distribution.discover = __import__('hidden').discover"
    (packages / "zz_hidden.pth").write_text(hidden + "\n")
    (packages / "hidden.py").write_text(
        "import importlib.metadata as m\n"
        "found = m.Distribution.discover\n"
        "def discover(*, name=None, **kw):\n"
        "    return iter(()) if name == 'lm_eval' else found(name=name, **kw)\n"
    )
    return python


@pytest.mark.real
def test_an_engine_is_declared_though_the_evaluator_beside_it_lacks_lm_eval(tmp_path, capsys):
    python = without_lm_eval(tmp_path / "two", engine="2")
    add(python)
    assert list(declared_versions(versions_file()).engines) == ["2"]
    assert not declared_versions(versions_file()).harnesses
    told = " ".join(capsys.readouterr().err.split())
    assert "Not declared: assay-evaluator is there without lm_eval; install that too" in told


@pytest.mark.real
def test_an_environment_that_adds_nothing_says_what_its_evaluator_lacks(tmp_path):
    python = without_lm_eval(tmp_path / "same", engine="")
    with pytest.raises(AssayError, match=r"engine 1, which comes with.*assay-evaluator is there without lm_eval"):
        add_environment(python)


def test_what_nobody_declared_cannot_be_taken_back():
    with pytest.raises(AssayError, match="engine 7: is not declared"):
        remove_environment("engine", "7")


def test_a_broken_file_is_not_overwritten(tmp_path):
    versions_file().parent.mkdir(parents=True)
    versions_file().write_text("{")
    with pytest.raises(AssayError, match=r"versions\.json.*Mend or remove it"):
        remove_environment("engine", "2")
    assert versions_file().read_text() == "{"
