"""Takes a base model in: a folder of config.json, tokenizer and safetensors, or one from the Hub.

Copies only what training and evaluation read; never weights that would have to be unpickled, never code.
"""

from __future__ import annotations

import asyncio
import fnmatch
import json
import re
from collections.abc import Sequence
from pathlib import Path

from assay_chassis.object_store import ObjectStore
from assay_chassis.object_store.digests import sha256_of_file
from assay_schemas.artifacts import ModelRef, model_prefix
from assay_schemas.canonical import digest_of
from assay_schemas.cost.shape import ModelShape, shape_of
from assay_schemas.images import takes_images
from assay_schemas.results import SavedCheckpoint, TrainingResult
from pydantic import ValidationError

from assay_scheduler.intake.cache import FindingCache
from assay_scheduler.intake.hub import HubModels
from assay_scheduler.intake.locations import Locations, SourceFile
from assay_scheduler.intake.unusable import Unusable

KEPT = (
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "chat_template*",
    "*processor_config.json",
    "*.safetensors",
    "*.safetensors.index.json",
)
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tokenizer_config.json")
CLASSIFIER = "ForSequenceClassification"
MAX_HEADER_BYTES = 100_000_000
FOLDER = "a folder with config.json, a tokenizer and *.safetensors"


class ModelIntake:
    """From a location to a model in the object store, by the digest over its files. Raises Unusable."""

    def __init__(self, store: ObjectStore, locations: Locations, cache: FindingCache, hub: HubModels) -> None:
        self._store = store
        self._locations = locations
        self._cache = cache
        self._hub = hub

    async def take(self, location: str) -> ModelRef:
        if location.startswith("training:"):
            location = await self._trained(location.removeprefix("training:"))
        if location.startswith("hf:"):
            files = await self._hub.files(location)
        else:
            files = await self._locations.folder(self._stored(location))
        try:
            return await self._known_or_new(files, location)
        finally:
            await self._locations.release(files)

    async def take_reward_model(self, location: str) -> ModelRef:
        """As `take`, and refused where its config.json says that it is no sequence classifier with one output."""
        reference = await self.take(location)
        config = json.loads(await self._store.get_bytes(f"{reference.uri}/config.json"))
        mend = "Give a checkpoint of a REWARD run, or another sequence classifier with one output."
        named = config.get("architectures") or []
        if named and not any(str(name).endswith(CLASSIFIER) for name in named):
            raise Unusable(f"is no reward model but {', '.join(map(str, named))}.", mend)
        labels = config.get("id2label") or {}
        if len(labels) > 1:
            raise Unusable(f"has {len(labels)} outputs, and a reward model has one.", mend)
        return reference

    async def sees(self, reference: ModelRef) -> bool:
        """Whether a taken model takes images."""
        return takes_images(json.loads(await self._store.get_bytes(f"{reference.uri}/config.json")))

    async def shape(self, reference: ModelRef) -> ModelShape | None:
        """A taken model's shape; None for an architecture that is not known."""
        try:
            return shape_of(json.loads(await self._store.get_bytes(f"{reference.uri}/config.json")))
        except ValueError:
            return None

    async def _known_or_new(self, files: Sequence[SourceFile], location: str) -> ModelRef:
        kept = [file for file in files if _matches(file.name, KEPT)]
        await asyncio.to_thread(_check_folder, files)
        key = digest_of(["model", [file.identity for file in kept]])
        known = await self._cache.get(key)
        if known is not None and await self._store.exists(f"{model_prefix(known['digest'])}/config.json"):
            return ModelRef.model_validate({**known, "name": location})
        reference = await self._copied(kept, location)
        await self._cache.put(key, reference.model_dump(mode="json"))
        return reference

    async def _trained(self, key: str) -> str:
        """Where the best checkpoint of a finished training run lies: the lowest validation loss, else the last."""
        if not re.fullmatch("[0-9a-f]{64}", key):
            raise Unusable(f"'training:{key}' names no training run.", "Give training: and its job key.")
        root = f"results/{key}"
        found = [entry.uri async for entry in self._store.list(root) if entry.uri.endswith("/manifest.json")]
        for uri in sorted(found, reverse=True):
            try:
                result = TrainingResult.model_validate_json(await self._store.get_bytes(uri))
            except ValidationError:
                continue
            return _best(result.checkpoints).checkpoint.uri
        raise Unusable(f"training:{key} has no finished run here.", "Give the key of a training run that succeeded.")

    def _stored(self, location: str) -> str:
        """A model that is in the object store already may be named by its digest."""
        if location.startswith("sha256:"):
            return self._store.uri(model_prefix(location.removeprefix("sha256:")))
        return location

    async def _copied(self, files: Sequence[SourceFile], location: str) -> ModelRef:
        """config.json last: where it is, the model is complete."""
        digests = await asyncio.to_thread(lambda: {file.name: sha256_of_file(file.path)[0] for file in files})
        digest = digest_of(digests)
        prefix = model_prefix(digest)
        if not await self._store.exists(f"{prefix}/config.json"):
            for file in sorted(files, key=lambda file: file.name == "config.json"):
                await self._store.put_file(f"{prefix}/{file.name}", file.path)
        return ModelRef(uri=self._store.uri(prefix), digest=digest, name=location)


def _best(checkpoints: Sequence[SavedCheckpoint]) -> SavedCheckpoint:
    judged = [saved for saved in checkpoints if saved.validation_loss is not None]
    if judged:
        return min(judged, key=lambda saved: (saved.validation_loss, saved.checkpoint.step))
    return max(checkpoints, key=lambda saved: saved.checkpoint.step)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _check_folder(files: Sequence[SourceFile]) -> None:
    by_name = {file.name: file.path for file in files}
    weights = [name for name in by_name if name.endswith(".safetensors")]
    if not weights:
        pickled = sorted(name for name in by_name if _matches(name, PICKLED))
        if pickled:
            mend = "Save it again with save_pretrained(…, safe_serialization=True): pickled weights can run code."
            raise Unusable(f"has pickled weights only ({', '.join(pickled[:3])}).", mend)
        raise Unusable("has no weights (*.safetensors).", f"Give {FOLDER}.")
    if "config.json" not in by_name:
        raise Unusable("has no config.json.", f"Give {FOLDER}.")
    if not any(name in by_name for name in TOKENIZERS):
        raise Unusable("has no tokenizer.", "Save the tokenizer beside the model with save_pretrained.")
    _check_config(by_name["config.json"])
    for name in weights:
        _check_safetensors(name, by_name[name])
    _check_shards(by_name)


def _check_config(path: Path) -> None:
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Unusable(f"has a config.json that is not JSON: {error}.", "Save the model again.") from error
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise Unusable("has a config.json without model_type.", "Save the model again with save_pretrained.")


def _check_safetensors(name: str, path: Path) -> None:
    """A safetensors file is eight bytes of header length, then that much JSON, then the tensors."""
    mend = "Save the model again with save_pretrained."
    with path.open("rb") as source:
        length = int.from_bytes(source.read(8), "little")
        if not 0 < length <= min(MAX_HEADER_BYTES, path.stat().st_size - 8):
            raise Unusable(f"has {name}, which is not a safetensors file.", mend)
        try:
            header = json.loads(source.read(length))
        except (ValueError, RecursionError):
            raise Unusable(f"has {name}, which is not a safetensors file.", mend) from None
    if not isinstance(header, dict):
        raise Unusable(f"has {name}, which is not a safetensors file.", mend)
    try:
        ends = [int(entry["data_offsets"][1]) for key, entry in header.items() if key != "__metadata__"]
    except (KeyError, IndexError, TypeError, ValueError):
        raise Unusable(f"has {name}, which is not a safetensors file.", mend) from None
    if 8 + length + max(ends, default=0) > path.stat().st_size:
        raise Unusable(f"has {name}, which is cut short.", "Copy it again.")


def _check_shards(by_name: dict[str, Path]) -> None:
    for name, path in by_name.items():
        if not name.endswith(".safetensors.index.json"):
            continue
        try:
            shards = set(json.loads(path.read_bytes())["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unusable(f"has an index, {name}, that cannot be read.", "Save the model again.") from error
        missing = sorted(str(shard) for shard in shards if shard not in by_name)
        if missing:
            raise Unusable(f"lacks {len(missing)} of its weight files, such as {missing[0]}.", "Copy the whole folder.")
