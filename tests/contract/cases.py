"""The contract's specifications and records, and the files they name.

Import it by path (`load_cases`), or through the fixtures of tests that use it; DATA/ and MODELS/ stand for
folders that `write_files` fills.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
FOLDERS = ("DATA", "MODELS")


@dataclass(frozen=True)
class Case:
    """A specification; `problems` are the field paths it must be refused with, none for one to be accepted."""

    id: str
    spec: dict[str, Any]
    problems: tuple[str, ...] = ()

    @property
    def needs_files(self) -> bool:
        """Whether what is wrong can be seen only by looking at files."""
        return self.id in {
            "dataset-missing",
            "dataset-empty",
            "dataset-broken-row",
            "wrong-columns",
            "model-missing",
            "model-is-a-pickle",
            "everything-wrong-at-once",
        }

    def located(self, root: Path) -> dict[str, Any]:
        """The specification with DATA/ and MODELS/ under `root`."""
        return _located(self.spec, root)


def valid_cases() -> list[Case]:
    return [Case(entry["id"], entry["spec"]) for entry in _load("valid.yaml")]


def invalid_cases() -> list[Case]:
    return [Case(entry["id"], entry["spec"], tuple(entry["problems"])) for entry in _load("invalid.yaml")]


def minimal(root: Path) -> dict[str, Any]:
    """The smallest valid specification, with its files under `root`."""
    return next(case for case in valid_cases() if case.id == "minimal").located(root)


@dataclass(frozen=True)
class RecordCase:
    """A raw record and where it must end: accepted, rejected, dead or ignored."""

    id: str
    ends: str
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    topic: str = "experiment.requested"


def record_cases(minimal_spec: dict[str, Any]) -> list[RecordCase]:
    """The records whose value does not depend on a running job; `minimal_spec` stands where MINIMAL does."""
    text = json.dumps(minimal_spec)
    return [_record(entry, text) for entry in _load("records.yaml")]


def _record(entry: dict[str, Any], minimal_text: str) -> RecordCase:
    headers = [(name, None if value is None else value.encode()) for name, value in entry.get("headers", {}).items()]
    headers += [(name, bytes.fromhex(value)) for name, value in entry.get("headers_hex", {}).items()]
    topic = entry.get("topic", "experiment.requested")
    return RecordCase(entry["id"], entry["ends"], _value(entry, minimal_text), tuple(headers), topic)


def _value(entry: dict[str, Any], minimal_text: str) -> bytes | None:
    if "value_hex" in entry:
        return bytes.fromhex(entry["value_hex"])
    if "nested" in entry:
        return b'{"a":' * entry["nested"] + b"1" + b"}" * entry["nested"]
    if "padding_kib" in entry:
        return json.dumps({"a": "x" * 1024 * entry["padding_kib"]}).encode()
    value = entry["value"]
    if value is None:
        return None
    if entry.get("plus"):
        return json.dumps({**json.loads(minimal_text), **entry["plus"]}).encode()
    return value.replace("MINIMAL", minimal_text).encode()


def write_files(root: Path) -> Path:
    """Fills root/DATA and root/MODELS with the small files the cases name; returns root."""
    data, models = root / "DATA", root / "MODELS"
    data.mkdir(parents=True)
    _write_rows(data / "sft.jsonl", [_sft_row(number) for number in range(12)])
    _write_parquet(data / "sft_b.parquet", [_sft_row(number + 100) for number in range(12)])
    _write_rows(data / "items.jsonl", [{"prompt": f"{n}+{n}=", "answer": str(2 * n)} for n in range(20)])
    preference = [{"prompt": f"q{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(8)]
    _write_rows(data / "preference.jsonl", preference)
    _write_rows(data / "preference_items.jsonl", preference)
    _write_rows(data / "prompts.jsonl", [{"prompt": f"{n}+1=", "answer": str(n + 1)} for n in range(8)])
    (data / "empty.jsonl").write_text("")
    lines = [json.dumps(_sft_row(number)) for number in range(10)]
    lines[6] = '{"prompt": "2+2=", "completion": '
    (data / "broken_row_7.jsonl").write_text("\n".join(lines) + "\n")
    _write_model(models / "pilot", "model.safetensors")
    _write_model(models / "reward", "model.safetensors")
    _write_model(models / "pickled", "pytorch_model.bin")
    return root


def _sft_row(number: int) -> dict[str, str]:
    return {"prompt": f"{number}+{number}=", "completion": str(2 * number)}


def _write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def _write_model(folder: Path, weights: str) -> None:
    """A folder that looks like a model: what intake reads of it, and no more."""
    folder.mkdir(parents=True)
    widths = {"hidden_size": 8, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": 16, **widths}))
    (folder / "tokenizer.json").write_text(json.dumps({"version": "1.0"}))
    if weights.endswith(".safetensors"):
        header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
        (folder / weights).write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    else:
        (folder / weights).write_bytes(b"\x80\x04not to be read")


def _located(value: Any, root: Path) -> Any:
    if isinstance(value, dict):
        return {key: _located(item, root) for key, item in value.items()}
    if isinstance(value, list):
        return [_located(item, root) for item in value]
    if isinstance(value, str) and value.partition("/")[0] in FOLDERS:
        return str(root / value)
    return value


def _load(name: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.safe_load((HERE / name).read_text())
    return loaded
