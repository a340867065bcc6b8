"""The list of parts names what is installed, and an audit that could ask nobody says so."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

from scripts.audit import CLEAN, UNKNOWN, VULNERABLE, bill_of_materials, judged

PARTS = {
    "Alpha_One-1.2": "Name: Alpha_One\nVersion: 1.2\nLicense-Expression: MIT\n"
    "Requires-Dist: beta.two>=1; extra == 'x'\n"
    "Requires-Dist: not-here\n",
    "beta.two-3": "Name: beta.two\nVersion: 3\nClassifier: License :: OSI Approved :: BSD License\n",
}


@pytest.fixture
def installed(tmp_path: Path) -> list[metadata.Distribution]:
    for folder, text in PARTS.items():
        place = tmp_path / f"{folder}.dist-info"
        place.mkdir()
        (place / "METADATA").write_text(f"Metadata-Version: 2.4\n{text}")
    return list(metadata.distributions(path=[str(tmp_path)]))


def test_the_list_names_each_part_its_licence_and_what_it_needs(installed: list[metadata.Distribution]) -> None:
    bill = bill_of_materials(installed)
    alpha, beta = bill["components"]
    assert alpha["purl"] == "pkg:pypi/alpha-one@1.2"
    assert alpha["licenses"] == [{"expression": "MIT"}]
    assert beta["licenses"] == [{"license": {"name": "BSD License"}}]
    assert bill["dependencies"] == [
        {"ref": "pkg:pypi/alpha-one@1.2", "dependsOn": ["pkg:pypi/beta-two@3"]},
        {"ref": "pkg:pypi/beta-two@3", "dependsOn": []},
    ]
    assert bill == bill_of_materials(installed[::-1])


def test_an_audit_without_a_network_is_no_clean_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert judged("", "ConnectionError: no route") == UNKNOWN
    assert "NOT CHECKED" in capsys.readouterr().out


def test_an_audit_that_found_no_package_where_it_asked_is_no_clean_one(capsys: pytest.CaptureFixture[str]) -> None:
    skipped = {"dependencies": [{"name": name, "skip_reason": "Dependency not found on PyPI"} for name in "ab"]}
    assert judged(json.dumps(skipped), "") == UNKNOWN
    assert "NOT CHECKED: pip-audit could ask about none of 2 packages" in capsys.readouterr().out
    assert judged('{"dependencies": []}', "") == UNKNOWN


def test_what_is_known_is_listed_with_its_mend(capsys: pytest.CaptureFixture[str]) -> None:
    flaw = {"id": "PYSEC-1", "fix_versions": ["2.0"]}
    report = {"dependencies": [{"name": "a", "version": "1", "vulns": [flaw]}, {"name": "b", "skip_reason": "local"}]}
    assert judged(json.dumps(report), "") == VULNERABLE
    told = capsys.readouterr().out
    assert "a 1: PYSEC-1, mended in 2.0" in told
    assert "not looked at: b" in told
    assert judged('{"dependencies": [{"name": "a", "version": "1", "vulns": []}]}', "") == CLEAN
