"""One training job over several processes, of this machine or of several: starts them, and waits for their end.

Computes nothing itself.
"""

from __future__ import annotations

import contextlib

from assay_chassis.compute import JobContext
from assay_schemas.jobs import TrainingRequest
from assay_schemas.parallelism import NO_OFFLOAD, ONLINE_ALGORITHMS, Parallelism, why_not

from assay_trainer.errors import BadInput
from assay_trainer.parallel.launch import launch
from assay_trainer.parallel.rank import train_rank
from assay_trainer.tracking import tracked


def run_spread(context: JobContext, request: TrainingRequest, layout: Parallelism) -> None:
    """Do a job in `layout.processes` processes. Raises the JobFailed of the first that failed, or LostRank."""
    nodes = request.hardware.nodes
    options = request.inputs.hyperparameters
    adapters, engine = options.get("lora") is not None, str(options.get("rollout_engine"))
    if reason := why_not(layout, request.inputs.algorithm, adapters=adapters, nodes=nodes, rollout_engine=engine):
        raise BadInput(f"hardware.parallelism: {reason} Change its degrees, or leave it out")
    if request.hardware.cpu_offload and request.inputs.algorithm in ONLINE_ALGORITHMS:
        raise BadInput(f"hardware.cpu_offload: {NO_OFFLOAD.format(request.inputs.algorithm)} Leave it out")
    folder = context.workdir / "processes"
    if nodes > 1:
        from assay_trainer.parallel.nodes import run_over_nodes

        run_over_nodes(context, request, layout, folder)
        return

    def be_rank(rank: int) -> None:
        watching = tracked(request, context) if rank == 0 else contextlib.nullcontext(context)
        with watching as watch:
            result = train_rank(rank, request, layout, folder, watch)
        if result is not None:
            context.finish({})

    launch(layout.processes, folder, be_rank)
