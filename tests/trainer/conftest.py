"""Makes the tests' own modules importable, and gives each test a store, a model and a way to train."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assay_schemas.jobs import TrainingRequest
from assay_schemas.results import TrainingResult

sys.path.insert(0, str(Path(__file__).parent))

from training_ground import CHAT_TEMPLATE, Ground, Watched, build_model, build_tokenizer

Train = Callable[..., TrainingResult]


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of about 30 thousand parameters."""
    folder = tmp_path_factory.mktemp("model")
    build_model().save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return build_tokenizer()


@pytest.fixture(scope="session")
def chat_tokenizer() -> Any:
    return build_tokenizer(CHAT_TEMPLATE)


@pytest.fixture
def ground(tmp_path: Path, model_folder: Path) -> Ground:
    return Ground(tmp_path / "store", model_folder)


@pytest.fixture
def train(ground: Ground, tmp_path: Path) -> Train:
    """Runs a request in this process and gives its result."""

    def run(request: TrainingRequest, watch: Watched | None = None) -> TrainingResult:
        return train_in(ground.root, request, tmp_path, watch)

    return run


@pytest.fixture
def train_afresh(ground: Ground, tmp_path: Path) -> Train:
    """Runs a request in this process as if it had never run before, in a store of its own."""

    def run(request: TrainingRequest) -> TrainingResult:
        root = Path(tempfile.mkdtemp(dir=tmp_path))
        shutil.copytree(ground.root / "datasets", root / "datasets")
        uri = (root / "datasets" / request.dataset.digest / "rows.jsonl").as_uri()
        moved = request.model_copy(update={"dataset": request.dataset.model_copy(update={"uri": uri})})
        return train_in(root, moved, tmp_path, None)

    return run


def train_in(root: Path, request: TrainingRequest, tmp_path: Path, watch: Watched | None) -> TrainingResult:
    import torch
    from assay_chassis.object_store import SyncObjectStore
    from assay_trainer.training_job import TrainingJob

    torch.set_num_threads(1)
    scratch = Path(tempfile.mkdtemp(dir=tmp_path))
    with SyncObjectStore(root.as_uri()) as store:
        return TrainingJob(request, store, scratch, watch or Watched()).run()
