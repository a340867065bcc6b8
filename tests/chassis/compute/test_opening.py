"""Which backend a setting names."""

from pathlib import Path

from assay_chassis.compute import ComputeSettings, LocalBackend, MemoryBackend, open_backend


def test_each_service_has_a_root_of_its_own(tmp_path: Path) -> None:
    settings = ComputeSettings(compute_root=tmp_path, stop_grace_s=3.0)
    backend = open_backend(settings, "trainer")
    assert isinstance(backend, LocalBackend)
    assert (backend.root, backend.grace_s) == (tmp_path / "trainer", 3.0)


def test_memory_and_ray_are_named_by_the_setting(tmp_path: Path) -> None:
    assert isinstance(open_backend(ComputeSettings(backend="memory", compute_root=tmp_path), "trainer"), MemoryBackend)
    ray = open_backend(ComputeSettings(backend="ray", compute_root=tmp_path), "trainer")
    assert type(ray).__name__ == "RayBackend"


def test_on_kubernetes_the_runs_are_in_the_object_store(tmp_path: Path) -> None:
    environment = {"ASSAY_OBJECT_STORE": tmp_path.as_uri()}
    backend = open_backend(ComputeSettings(backend="kubernetes", stop_grace_s=3.0), "trainer", environment=environment)
    assert type(backend).__name__ == "KubernetesBackend"
    assert vars(backend)["_store"].root == tmp_path.as_uri()


def test_importing_the_package_loads_no_heavy_library() -> None:
    import subprocess
    import sys

    heavy = "{'torch', 'ray', 'transformers', 'aioboto3', 'kubernetes_asyncio'}"
    check = f"import sys, assay_chassis.compute; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "set()"
