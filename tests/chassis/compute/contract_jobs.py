"""The jobs that the contract suite runs. The backends' processes import this module by name."""

import logging
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from assay_chassis.compute import JobContext


def succeed(context: JobContext) -> None:
    context.finish({"echo": context.payload, "attempt": context.attempt})


def count_calls(context: JobContext) -> None:
    with Path(context.payload["counter"]).open("a") as counter:
        counter.write("called\n")
    context.finish({})


def raise_error(context: JobContext) -> None:
    raise ValueError("the learning rate is not a number")


class Unavailable(Exception):
    retryable = True


def raise_retryable(context: JobContext) -> None:
    raise Unavailable("try again")


class Diverged(Exception):
    error_class = "diverged"


def diverge(context: JobContext) -> None:
    raise Diverged("the loss is not a number")


def exit_with_three(context: JobContext) -> None:
    print("about to leave", flush=True)
    os._exit(3)


def compute_and_leave(context: JobContext) -> None:
    """Three tenths of a second of processor time in a child, then as much here."""
    child = os.fork()
    enough = time.process_time() + 0.3
    while time.process_time() < enough:
        pass
    if child:
        os.waitpid(child, 0)
    os._exit(3)


def return_without_outcome(context: JobContext) -> None:
    pass


def talk(context: JobContext) -> None:
    print("a line on standard output")
    print("a line on standard error", file=sys.stderr)
    logging.getLogger("job").info("a line logged")
    context.finish({})


def report(context: JobContext) -> None:
    for step in range(1, context.payload["steps"] + 1):
        context.report_progress({"step": step})
    context.finish({})


def report_then_wait(context: JobContext) -> None:
    for step in range(1, 6):
        context.report_progress({"step": step})
    wait_until_asked(context)


def wait_until_asked(context: JobContext) -> None:
    give_up = time.monotonic() + 60
    while not context.should_stop() and time.monotonic() < give_up:
        context.wait(1.0)


def wait_until_file(context: JobContext) -> None:
    give_up = time.monotonic() + 60
    while not Path(context.payload["file"]).exists() and time.monotonic() < give_up:
        time.sleep(0.02)
    context.finish({"waited": True})


def keep_a_folder(context: JobContext) -> None:
    global kept
    kept = tempfile.TemporaryDirectory()
    context.finish({"folder": kept.name})


def count_then_wait(context: JobContext) -> None:
    with Path(context.payload["counter"]).open("a") as counter:
        counter.write("started\n")
    while not Path(context.payload["file"]).exists():
        if context.wait(0.05):
            with Path(context.payload["counter"]).open("a") as counter:
                counter.write("asked to end\n")
            return
    context.finish({"waited": True})


def ignore_requests(context: JobContext) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)


def finish_then_hang(context: JobContext) -> None:
    context.finish({"done": True})
    time.sleep(60)


def take_memory(context: JobContext) -> None:
    taken = []
    for _ in range(200):
        taken.append(os.urandom(8 * 2**20))
        time.sleep(0.01)
    context.finish({"bytes": sum(map(len, taken))})


def start_child_and_leave(context: JobContext) -> None:
    child = os.fork()
    if child == 0:
        os.setsid()
        time.sleep(60)
        os._exit(0)
    context.finish({"child": child})


def describe_process(context: JobContext) -> None:
    context.finish(
        {
            "threads": os.environ["OMP_NUM_THREADS"],
            "group_leader": os.getpgid(0) == os.getpid(),
            "interrupt_is_default": signal.getsignal(signal.SIGINT) is signal.SIG_DFL,
            "descriptors": sorted(int(entry.name) for entry in Path("/proc/self/fd").iterdir()),
            "folder": Path.cwd() == context.workdir,
            "preloaded": "wave" in sys.modules,
            "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
            "token": os.environ.get("CONTRACT_TOKEN"),
            "note": os.environ.get("ASSAY_NOTE"),
        }
    )


def train_a_little(context: JobContext) -> None:
    imported = "torch" in sys.modules
    import torch

    torch.manual_seed(context.payload.get("seed", 0))
    layer = torch.nn.Linear(64, 64)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    for _ in range(20):
        loss = layer(torch.randn(256, 64)).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    context.finish({"loss": loss.item(), "threads": torch.get_num_threads(), "imported": imported})


def tell_environment(context: JobContext) -> None:
    context.finish({"prefix": sys.prefix})


def count_ray_machines(context: JobContext) -> None:
    import ray

    ray.init(address=os.environ["RAY_ADDRESS"], log_to_driver=False)
    machines = 0
    give_up = time.monotonic() + 120
    while machines < context.payload["machines"] and time.monotonic() < give_up:
        time.sleep(0.5)
        machines = sum(node["Alive"] for node in ray.nodes())
    print(f"seen from Ray: {machines}")
    context.finish({"machines": machines})
