"""One process's place among the processes of its job: the device mesh, its coordinates, and the groups it is in.

Only joins and leaves; what is exchanged is decided elsewhere.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from assay_chassis.compute.devices import VISIBLE
from assay_schemas.parallelism import DIMENSIONS, Dimension, Parallelism
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

COLLECTIVE_TIMEOUT = timedelta(minutes=10)
LOOPBACK = "lo"


@dataclass(frozen=True)
class World:
    """`mesh` has one dimension for each of DIMENSIONS; `dense` is all that share weights which are no experts'."""

    parallelism: Parallelism
    rank: int
    device: torch.device
    mesh: DeviceMesh
    dense: DeviceMesh
    experts: DeviceMesh

    @property
    def lead(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    def place(self, dimension: Dimension) -> int:
        """This process's coordinate."""
        return self.mesh.get_local_rank(dimension)

    def group(self, dimension: Dimension) -> dist.ProcessGroup:
        return self.mesh.get_group(dimension)

    @property
    def row_places(self) -> int:
        """How many processes see different rows."""
        return self.parallelism.data * self.parallelism.expert

    @property
    def row_place(self) -> int:
        return self.place("expert") * self.parallelism.data + self.place("data")


def only_device(rank: int) -> torch.device:
    """This process's GPU, the only one that it sees from now on: a rollout engine takes the first that it sees.

    Call it before this process has used any."""
    seen = os.environ.get(VISIBLE)
    os.environ[VISIBLE] = seen.split(",")[rank] if seen else str(rank)
    return torch.device("cuda", 0)


def join(rank: int, parallelism: Parallelism, device: torch.device, rendezvous: Path) -> World:
    """Meet the others at the file `rendezvous`, which must not be there before the first does.

    Raises torch.distributed.DistError where not all come in time."""
    if device.type == "cpu":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK)
    else:
        torch.cuda.set_device(device)
    dist.init_process_group(
        "gloo" if device.type == "cpu" else "nccl",
        init_method=rendezvous.as_uri(),
        rank=rank,
        world_size=parallelism.processes,
        timeout=COLLECTIVE_TIMEOUT,
    )
    return world_of(rank, parallelism, device)


def world_of(rank: int, parallelism: Parallelism, device: torch.device) -> World:
    """The mesh over a process group that was joined before."""
    sizes = tuple(getattr(parallelism, dimension) for dimension in DIMENSIONS)
    mesh = init_device_mesh(device.type, sizes, mesh_dim_names=DIMENSIONS)
    dense = mesh["expert", "data", "context"]._flatten("dense")
    experts = mesh["data", "context"]._flatten("expert_shards")
    return World(parallelism, rank, device, mesh, dense, experts)


def leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def sum_over_all(values: list[float], device: torch.device) -> list[float]:
    """Sums over all processes, in float64."""
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(tensor)
    found: list[float] = tensor.tolist()
    return found
