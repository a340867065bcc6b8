"""The command line of the embedded system: `python -m assay_local up|down|status`.
Never does more than read arguments and show results.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from assay_local import commands
from assay_local.commands import Condition
from assay_local.errors import LocalError
from assay_local.state import StateFolder, SystemRecord, default_folder

_NOT_RUNNING = 3


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0, 1 with the reason on stderr, or 3 when `status` finds no running system."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except LocalError as problem:
        print(f"assay: {problem}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="assay_local", description="Assay on this machine, without Docker.")
    actions = parser.add_subparsers(required=True, metavar="up|down|status")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state", type=Path, default=default_folder(), help="state folder (default: %(default)s)")
    common.add_argument("--json", action="store_true", help="show the result as JSON")
    up = actions.add_parser("up", parents=[common], help="start everything")
    up.add_argument("--detach", action="store_true", help="return when everything is ready")
    up.add_argument("--broker", choices=["auto", "apache", "mock"], default="auto", help="which Kafka to start")
    up.set_defaults(run=_up)
    actions.add_parser("down", parents=[common], help="stop everything; data stays").set_defaults(run=_down)
    actions.add_parser("status", parents=[common], help="say what runs").set_defaults(run=_status)
    return parser


def _up(options: argparse.Namespace) -> int:
    if options.detach and (record := commands.go_on_detached(StateFolder(options.state))) is not None:
        _show_system(record, options.json)
        return 0

    from assay_local.system import EmbeddedSystem  # with the broker's client, which the other commands do without

    def tell(line: str) -> None:
        print(line, file=sys.stderr if options.json else sys.stdout, flush=True)

    system = EmbeddedSystem(options.state, broker=options.broker, tell=tell)
    commands.up(system, lambda record: _show_system(record, options.json))
    return 0


def _down(options: argparse.Namespace) -> int:
    was = commands.down(StateFolder(options.state))
    if options.json:
        print(json.dumps({"was": was, "now": Condition.STOPPED}))
    elif was is Condition.STOPPED:
        print("No system was running.")
    else:
        print(f"Stopped; data stays in {options.state}.")
    return 0


def _status(options: argparse.Namespace) -> int:
    condition, record = commands.status(StateFolder(options.state))
    alive = commands.alive(record) if record else {}
    if options.json:
        described = record.model_dump(mode="json") if record else None
        print(json.dumps({"condition": condition, "alive": alive, "system": described}))
    else:
        print(f"The system in {options.state} is {condition}.")
        for name, lives in alive.items():
            print(f"  {name:10} {'runs' if lives else 'does not run'}")
    return 0 if condition is Condition.RUNNING else _NOT_RUNNING


def _show_system(record: SystemRecord, as_json: bool) -> None:
    if as_json:
        print(record.model_dump_json(), flush=True)
        return
    print(f"Assay is ready.  Pages: {record.web_url}   API: {record.api_url}/docs")
    print(f"Kafka ({record.kafka}): {record.kafka_bootstrap_servers}   Objects: {record.object_store}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
