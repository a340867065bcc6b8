"""`make audit`: the list of parts of what Assay installs (SBOM, CycloneDX 1.6), and known vulnerabilities in it.

Never says that nothing is known to be vulnerable when nobody could be asked.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
AUDITOR = "pip-audit==2.10.1"
TIMEOUT_S = 300
CLEAN, VULNERABLE, UNKNOWN = 0, 1, 2
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def normal(name: str) -> str:
    """A distribution's name as package URLs write it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parts(distributions: Iterable[metadata.Distribution]) -> list[dict[str, Any]]:
    """One component for each distribution, by name; of one that is there twice, the first counts as it is imported."""
    found: dict[str, dict[str, Any]] = {}
    for one in distributions:
        name = normal(one.metadata["Name"])
        url = f"pkg:pypi/{name}@{one.version}"
        component: dict[str, Any] = {
            "type": "library",
            "name": name,
            "version": one.version,
            "bom-ref": url,
            "purl": url,
        }
        if licences := licences_of(one):
            component["licenses"] = licences
        found.setdefault(name, component)
    return [found[name] for name in sorted(found)]


def licences_of(one: metadata.Distribution) -> list[dict[str, Any]]:
    """As its author declares them: an SPDX expression, else the classifiers' names, else the first line of a text."""
    if expression := one.metadata.get_all("License-Expression"):
        return [{"expression": expression[0]}]
    named = [line.rpartition(" :: ")[2] for line in one.metadata.get_all("Classifier") or [] if "License ::" in line]
    named = [name for name in named if name != "OSI Approved"]
    text = "".join(one.metadata.get_all("License") or []).strip().partition("\n")[0][:100]
    return [{"license": {"name": name}} for name in named or ([text] if text else [])]


def dependencies(distributions: Iterable[metadata.Distribution], versions: Mapping[str, str]) -> list[dict[str, Any]]:
    """What each part needs of the others; extras and conditions are not looked at: what is there counts."""
    needs: dict[str, set[str]] = {}
    for one in distributions:
        names = (_NAME.match(line) for line in one.requires or [])
        needs.setdefault(normal(one.metadata["Name"]), {normal(name.group()) for name in names if name} & set(versions))
    url = {name: f"pkg:pypi/{name}@{version}" for name, version in versions.items()}
    return [{"ref": url[name], "dependsOn": [url[other] for other in sorted(needs[name])]} for name in sorted(needs)]


def bill_of_materials(distributions: Sequence[metadata.Distribution]) -> dict[str, Any]:
    """The SBOM. The same parts give the same document, with the same serial number."""
    components = parts(distributions)
    versions = {component["name"]: component["version"] for component in components}
    names = "\n".join(component["bom-ref"] for component in components)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, names)}",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": "assay", "version": versions.get("assay-chassis", "")}
        },
        "components": components,
        "dependencies": dependencies(distributions, versions),
    }


def audited() -> int:
    """Ask the public database of vulnerabilities about the pinned versions; says in a line what came of it."""
    uvx = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uvx is None:
        print("vulnerabilities: NOT CHECKED: uv, which runs pip-audit beside this environment, was not found")
        return UNKNOWN
    ask = [uvx, "tool", "run", "--quiet", "--from", AUDITOR, "pip-audit", "--requirement", str(CONSTRAINTS)]
    ask += ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        print(f"vulnerabilities: NOT CHECKED: no answer in {TIMEOUT_S} s")
        return UNKNOWN
    return judged(done.stdout, done.stderr)


def judged(output: str, errors: str) -> int:
    """What pip-audit found: an answer that is not its report means that nobody could be asked."""
    try:
        found = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (errors.strip().splitlines() or ["it said nothing"])[-1]
        print(f"vulnerabilities: NOT CHECKED: pip-audit could not ask: {last[:300]}")
        return UNKNOWN
    open_ones = [(one["name"], one["version"], flaw) for one in found for flaw in one.get("vulns", ())]
    for name, version, flaw in open_ones:
        mended = ", ".join(flaw.get("fix_versions") or []) or "no version yet"
        print(f"  {name} {version}: {flaw['id']}, mended in {mended}")
    left_out = [one["name"] for one in found if one.get("skip_reason")]
    if len(left_out) == len(found):
        why = found[0]["skip_reason"] if found else "nothing is pinned"
        print(f"vulnerabilities: NOT CHECKED: pip-audit could ask about none of {len(found)} packages: {why[:300]}")
        return UNKNOWN
    print(f"vulnerabilities: {len(open_ones)} known in {len(found) - len(left_out)} packages, asked just now")
    if left_out:
        print(f"  not looked at: {', '.join(left_out)}")
    return VULNERABLE if open_ones else CLEAN


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing known; 1: something is; 2: the list was written, vulnerabilities could not be checked."""
    parser = argparse.ArgumentParser(prog="python -m scripts.audit", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("assay.cdx.json"), help="where the list goes")
    parser.add_argument("--list-only", action="store_true", help="ask nobody about vulnerabilities")
    options = parser.parse_args(arguments)
    bill = bill_of_materials(list(metadata.distributions()))
    options.output.write_text(json.dumps(bill, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{options.output}: {len(bill['components'])} parts of this environment, with licences as they declare them")
    return CLEAN if options.list_only else audited()


if __name__ == "__main__":
    sys.exit(main())
