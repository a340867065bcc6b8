"""What a run holds on a Ray cluster while it is kept."""

from assay_chassis.compute import Resources
from assay_chassis.compute.ray import place_of
from contract_bench import make_run

TWO = Resources(cpus=3, gpus=1, nodes=2)


def test_a_training_over_machines_holds_nothing_itself_since_its_processes_do():
    place = place_of(make_run(resources=TWO))
    assert (place.cpus, place.gpus, place.memory_gib) == (0, 0, None)


def test_a_run_that_does_not_spread_itself_holds_one_machine_s_part():
    evaluation = make_run(resources=TWO).model_copy(update={"kind": "eval"})
    assert place_of(evaluation) == TWO
    assert place_of(make_run(resources=Resources(cpus=3))).cpus == 3
