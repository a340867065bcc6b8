"""Which GPUs there are, and which of them are free."""

from pathlib import Path

from assay_chassis.compute.devices import choose, machine_gpus


def test_the_variable_says_which_gpus_there_are(tmp_path: Path) -> None:
    assert machine_gpus({"CUDA_VISIBLE_DEVICES": "2,GPU-ab"}, tmp_path) == ("2", "GPU-ab")
    assert machine_gpus({"CUDA_VISIBLE_DEVICES": ""}, tmp_path) == ()


def test_without_it_the_driver_does(tmp_path: Path) -> None:
    assert machine_gpus({}, tmp_path / "no-driver") == ()
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    assert machine_gpus({}, tmp_path) == ("0", "1")


def test_free_gpus_are_chosen_in_order_or_not_at_all() -> None:
    assert choose(2, ("0", "1", "2"), {"1"}) == ("0", "2")
    assert choose(3, ("0", "1", "2"), {"1"}) is None
    assert choose(0, (), set()) == ()
