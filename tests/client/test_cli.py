"""The command line without a system: help, exit codes and messages."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from types import SimpleNamespace
from uuid import UUID

import httpx
import pytest
import typer
from assay import cli, dead_letters, diagnosis
from assay.api import Api
from assay.cli import app, experiments, regression
from assay.cli.budget import ending
from assay.cli.experiments import _why, short
from assay.errors import AssayError, NotFound, Refused
from assay.files import read_document
from assay.run import Run
from assay.settings import ClientSettings
from assay_schemas.events import BudgetedArm, ExperimentBudget
from typer.main import get_command
from typer.testing import CliRunner

RUNNER = CliRunner()


def commands(group=None, path=()):
    group = group or get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.fixture(autouse=True)
def _no_system(monkeypatch, tmp_path):
    for name in ("ASSAY_KAFKA_BOOTSTRAP_SERVERS", "ASSAY_OBJECT_STORE", "ASSAY_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("path", "command"), list(commands()), ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_every_command_has_an_example_and_json(path, command):
    assert "Example: assay " + " ".join(path) in (command.help or "")
    assert "--json" in {option for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize("group", [(), ("data",), ("images",), ("events",), ("dlq",)])
def test_no_line_of_the_list_of_commands_is_cut_short_in_a_terminal_of_80_columns(group, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    listed = RUNNER.invoke(app, [*group, "--help"]).output.partition("Commands:")[2]
    assert listed.strip()
    assert "..." not in listed


def test_a_listed_experiment_fits_a_terminal():
    listed = {"id": "90debfad-119e-5131-b11d-d1e22a2df4ce", "name": "n", "requested_at": "2026-11-21T22:31:05.1+00:00"}
    assert short(listed) == {"id": "90debfad", "name": "n", "requested_at": "2026-11-21 22:31"}
    assert short({"id": "90debfad", "requested_at": None})["requested_at"] == ""


def test_the_commands_of_the_contract_exist():
    names = {" ".join(path) for path, _ in commands()}
    wanted = {"up", "down", "doctor", "submit", "list", "status", "watch", "report", "responses", "cancel", "retry",
              "logs", "budget",
              "data snapshot", "events tail", "dlq list", "dlq show", "dlq replay", "dlq drop"}  # fmt: skip
    assert wanted <= names


def test_help_imports_nothing_heavy():
    code = "import sys; sys.argv=['assay','--help']\nfrom assay.cli import app\ntry: app()\nexcept SystemExit: pass\n"
    code += "print(sorted({'pandas','pyarrow','aiokafka','pydantic','httpx','torch','yaml'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.strip().endswith("[]")


def test_without_a_system_the_message_says_how_to_start_one(tmp_path):
    file = tmp_path / "e.yaml"
    file.write_text("name: x\n")
    answer = RUNNER.invoke(app, ["submit", str(file)])
    assert answer.exit_code == 1
    assert "assay up" in answer.output


def test_an_error_in_json_is_json(tmp_path):
    file = tmp_path / "e.yaml"
    file.write_text("[1, 2\n")
    environment = {"ASSAY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "ASSAY_OBJECT_STORE": f"file://{tmp_path}"}
    answer = RUNNER.invoke(app, ["submit", str(file), "--json"], env=environment)
    assert answer.exit_code == 2
    assert json.loads(answer.output)["problems"][0]["field"] == "(whole document)"


def test_over_the_size_limit_is_invalid(tmp_path):
    file = tmp_path / "e.json"
    file.write_text(json.dumps({"name": "x" * 300_000}))
    environment = {"ASSAY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "ASSAY_OBJECT_STORE": f"file://{tmp_path}"}
    answer = RUNNER.invoke(app, ["submit", str(file), "--json"], env=environment)
    assert answer.exit_code == 2
    assert "over the limit" in json.loads(answer.output)["problems"][0]["message"]


@pytest.mark.parametrize("text", ["- a\n", "3", "a: [", "\x00"])
def test_a_file_that_is_no_mapping_is_a_problem(tmp_path, text):
    file = tmp_path / "e.yaml"
    file.write_text(text)
    with pytest.raises(Refused):
        read_document(file)


def test_doctor_says_what_is_missing_and_fails():
    answer = RUNNER.invoke(app, ["doctor", "--json"])
    found = {check["name"]: check for check in json.loads(answer.output)}
    assert answer.exit_code == 1
    assert found["python"]["ok"] is True
    assert "assay up" in found["system"]["mend"]


def test_doctor_looks_at_every_service_that_up_started_and_tells_why_one_is_not_ready(tmp_path, monkeypatch):
    urls = {"trainer": "http://127.0.0.1:1/t", "evaluator": "http://127.0.0.1:1/e"}
    system = {"kafka_bootstrap_servers": "127.0.0.1:1", "object_store": tmp_path.as_uri(), "api_url": "", "web_url": ""}
    system["processes"] = {name: {"pid": 1, "created": 0.0, "log": "", "url": url} for name, url in urls.items()}
    (tmp_path / "system.json").write_text(json.dumps(system))
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    monkeypatch.setattr(diagnosis, "_tool", lambda name, use: diagnosis._check(name, None, "not looked for", use))
    monkeypatch.setattr(diagnosis, "_broker", lambda _: "not looked at")
    away = httpx.Response(503, json={"ready": False, "reasons": ["kafka: not joined", "database: away"]})
    answers = {f"{urls['trainer']}/readyz": httpx.Response(200), f"{urls['evaluator']}/readyz": away}
    monkeypatch.setattr(diagnosis.httpx, "get", lambda url, timeout: answers[url])
    found = {check["name"]: check for check in diagnosis.examine()}
    assert found["trainer"]["ok"] is True
    assert found["evaluator"]["ok"] is False
    assert found["evaluator"]["detail"].endswith("/e is not ready: kafka: not joined; database: away")
    (tmp_path / "system.json").write_text(json.dumps({**system, "processes": {}}))
    found = {check["name"]: check for check in diagnosis.examine()}
    assert found["trainer"]["ok"] is None
    assert "ASSAY_TRAINER_URL" in found["trainer"]["mend"]


def test_a_disk_that_is_full_is_one_line_and_no_traceback(monkeypatch, capsys):
    def full(**_) -> None:
        raise OSError(28, "No space left on device", "/data/out.parquet")

    monkeypatch.setattr(cli, "app", full)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "assay: /data/out.parquet cannot be used: No space left on device.\n"


def test_cancelling_what_has_ended_says_so_and_asks_for_nothing(monkeypatch):
    asked: list[str] = []
    run = SimpleNamespace(id="e", settings=ClientSettings(api_url="http://127.0.0.1:1"), cancel=asked.append)
    monkeypatch.setattr(experiments, "_run", lambda _: run)
    monkeypatch.setattr(Api, "experiment", lambda self, identity: {"id": identity, "status": "succeeded"})
    answer = RUNNER.invoke(app, ["cancel", "e"])
    assert (answer.exit_code, asked) == (0, [])
    assert "has ended (succeeded)" in answer.output


def test_a_dead_letter_without_a_value_has_a_line_that_says_so(monkeypatch):
    letter = {"id": "a.dlq/0/0", "state": "open", "service": "scheduler", "reason": "a tombstone", "value": ""}

    async def letters(*_):
        return [SimpleNamespace(state="open")]

    monkeypatch.setattr("assay.settings.load_settings", lambda: ClientSettings())
    monkeypatch.setattr("assay.dead_letters.letters", letters)
    monkeypatch.setattr("assay.cli.dead_letters._listed", lambda _: letter)
    assert "    (nothing)\n1 of 1 dead letters." in RUNNER.invoke(app, ["dlq", "list"]).output


def test_of_a_budget_that_is_used_up_nobody_reads_that_none_of_its_runs_was_not_used():
    last = ExperimentBudget(
        experiment_id=str(UUID(int=1)), first=str(UUID(int=1)), look=3, looks=4, runs=8, used=8, arms=[]
    )
    assert ending(last) == "all 8 runs were used"
    stopped = BudgetedArm(arm="clean", seeds=2, action="stopped", reason="runs are used up")
    assert ending(last.model_copy(update={"arms": [stopped]})) == "all 8 runs were used, and verdicts are still open"
    assert ending(last.model_copy(update={"saved_runs": 3})) == "3 of 8 runs were not needed"


async def test_an_id_that_is_none_of_a_dead_letter_is_told_where_ids_are():
    with pytest.raises(NotFound, match=r"'nope' is no id of a dead letter.*assay dlq list"):
        await dead_letters.find(ClientSettings(), "nope")


def test_without_a_report_it_is_said_where_to_see_why(tmp_path):
    run = Run("0b6a1c9e-1111-5222-8333-444455556666", ClientSettings(object_store=tmp_path.as_uri()))
    with pytest.raises(NotFound, match=r"assay status 0b6a1c9e.*why it was refused"):
        run.report()


def test_with_json_an_error_is_json_too(monkeypatch, capsys):
    def missing(**_) -> None:
        raise NotFound("None of the experiments begins with 'zzz'.")

    monkeypatch.setattr(cli, "app", missing)
    monkeypatch.setattr(sys, "argv", ["assay", "report", "zzz", "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert json.loads(capsys.readouterr().out)["error"] == "None of the experiments begins with 'zzz'."


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["list", "--json", "--status", "nope"], "--status"),
        (["--json", "nope"], "--json"),
        (["dlq", "nope", "--json"], "No such command 'nope'"),
        (["status", "--json"], "Missing argument"),
    ],
)
def test_with_json_an_error_of_usage_is_json_too(asked, told, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["assay", *asked])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    assert (ended.value.code, printed.err) == (2, "")
    error = json.loads(printed.out)["error"]
    assert told in error
    assert "--help` shows how it is used." in error


@pytest.mark.parametrize(("asked", "code"), [(["doctor", "--json"], 1), (["doctor", "--json", "--help"], 0)])
def test_with_json_a_command_ends_with_its_own_code(asked, code, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["assay", *asked])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code or 0) == code
    assert capsys.readouterr().out


@pytest.fixture
def shown(monkeypatch):
    """What `assay responses` prints of a table of responses."""
    import pandas

    def show(rows: list[dict], *flags: str) -> str:
        frame = pandas.DataFrame(rows)
        run = SimpleNamespace(responses=lambda *_, **__: frame, url="")
        monkeypatch.setattr("assay.lookup.find_run", lambda _: run)
        return RUNNER.invoke(app, ["responses", "3f1c", "--benchmark", "numeric", *flags]).output

    return show


def test_where_no_response_is_to_be_shown_it_says_so(shown):
    assert "No response on numeric scores otherwise than control's" in shown([], "--flips")
    assert "There is no response on numeric" in shown([])


def test_a_failed_item_is_null_in_json_and_a_word_for_people(shown):
    row = {"item_id": "i", "arm": "a", "seed": 0, "prompt": "?", "target": "1", "response": "x", "score": float("nan")}
    strict = {"parse_constant": lambda word: pytest.fail(f"{word} is no JSON")}
    assert json.loads(shown([row], "--json"), **strict)[0]["score"] is None
    assert "failed  x" in shown([row])


def test_a_status_that_no_experiment_has_is_no_empty_list():
    answer = RUNNER.invoke(app, ["list", "--status", "runing"])
    assert answer.exit_code == 2
    assert "running" in answer.output


def test_a_filter_that_leaves_nothing_does_not_say_that_there_is_nothing(monkeypatch):
    monkeypatch.setattr("assay.settings.load_settings", lambda: ClientSettings())
    monkeypatch.setattr(Api, "experiments", lambda *_, **__: [])
    assert "No experiment matches" in RUNNER.invoke(app, ["list", "--owner", "nobody"]).output
    assert "No experiments yet" in RUNNER.invoke(app, ["list"]).output


def test_before_its_end_an_experiment_has_no_results_in_words(tmp_path):
    run = Run("3f1c0000-0000", ClientSettings(object_store=tmp_path.as_uri()))
    with pytest.raises(NotFound, match=r"has not ended \(yet\). `assay status 3f1c0000`"):
        run.result()
    with pytest.raises(NotFound, match="is not planned"):
        run.plan()


def test_of_a_progress_bar_in_a_log_only_its_last_state_is_shown():
    drawn = "begins\r\n\r  0%|\r 50%|#\r100%|##\nends\n"
    assert experiments.as_last_drawn(drawn) == "begins\n100%|##\nends\n"


def test_a_log_is_shown_as_last_drawn_and_its_escapes_do_nothing(monkeypatch):
    log = "  0%|\r100%|##\n\x1b[2Jends"
    monkeypatch.setattr("assay.settings.load_settings", lambda: ClientSettings(api_url="http://127.0.0.1:1"))
    monkeypatch.setattr("assay.lookup.find_job", lambda *_: "a" * 64)
    monkeypatch.setattr("assay.api.Api.logs", lambda *_: log)
    assert RUNNER.invoke(app, ["logs", "a"]).output == "100%|##\n␛[2Jends\n"
    assert json.loads(RUNNER.invoke(app, ["logs", "a", "--json"]).output)["log"] == log


def test_of_an_experiment_with_a_report_no_past_progress_is_shown(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(Run, "watch", lambda *_, **__: pytest.fail("events were read"))
    run = Run("3f1c0000-0000", ClientSettings(object_store=tmp_path.as_uri()))
    path = tmp_path / run.report_uri("json").removeprefix(f"{tmp_path.as_uri()}/")
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert run.wait() is run
    assert "".join(capsys.readouterr()) == ""


def test_a_name_that_no_published_figure_has_is_no_success(monkeypatch):
    monkeypatch.setattr("assay.cli.regression._ask", lambda *_, **__: ([], 0))
    answer = RUNNER.invoke(app, ["regress", "--only", "nope"])
    assert isinstance(answer.exception, AssayError)
    assert "No row's name contains 'nope'" in str(answer.exception)


@pytest.mark.parametrize(("program", "told"), [("print('{\"changes\": []}')", ""), ("raise SystemExit(3)", "noise")])
def test_what_the_harness_says_beside_the_canary_is_shown_only_where_there_is_no_answer(
    program, told, monkeypatch, capsys
):
    asked = [sys.executable, "-c", f"import sys; print('noise', file=sys.stderr); {program}"]
    run = subprocess.run
    monkeypatch.setattr("assay.cli.regression.subprocess.run", lambda _, **how: run(asked, **how))
    with contextlib.suppress(AssayError, SystemExit, typer.Exit):
        regression.canary()
    assert capsys.readouterr().err.partition("…")[2].strip() == told


def test_more_responses_are_on_a_page_that_shows_the_same(monkeypatch):
    import pandas

    row = {"item_id": "i", "arm": "a", "seed": 0, "prompt": "?", "target": "1", "response": "x", "score": 1.0}
    run = SimpleNamespace(responses=lambda *_, **__: pandas.DataFrame([row, row]), url="http://web/experiments/1")
    monkeypatch.setattr("assay.lookup.find_run", lambda _: run)
    for flags, only in (([], "all"), (["--flips"], "flips")):
        told = RUNNER.invoke(app, ["responses", "3f1c", "--benchmark", "a b", "--limit", "1", *flags]).output
        assert f"http://web/experiments/1/responses?benchmark=a%20b&only={only}" in told.replace("\n", "")


def test_an_interrupt_says_that_the_experiment_goes_on(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "watch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Run("3f1c0000-0000", ClientSettings()).wait()
    assert "the experiment goes on. `assay watch 3f1c0000` follows it" in capsys.readouterr().err


def test_a_key_given_twice_is_refused_with_its_lines(tmp_path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text("seeds: 1\narms:\n  - {name: a, name: b}\n  - &c {name: c}\n  - *c\nseeds: 2\n")
    with pytest.raises(Refused) as refusal:
        read_document(file)
    assert [(one.field, one.message) for one in refusal.value.problems] == [
        ("arms.0.name", "is given twice, in line 3 and in line 3."),
        ("seeds", "is given twice, in line 1 and in line 6."),
    ]


def test_what_is_no_yaml_is_said_with_its_line_and_without_the_parsers_words(tmp_path) -> None:
    file = tmp_path / "tab.yaml"
    file.write_text("name: x\n\tarms: []\n")
    with pytest.raises(Refused, match=r"is not YAML: line 2, column 1: found character") as refusal:
        read_document(file)
    assert "unicode string" not in str(refusal.value)
    file.write_text("arms: &a [*a]\n")
    assert read_document(file)["arms"]


def test_the_status_of_a_running_job_says_how_far_it_is_and_how_long_it_will_take() -> None:
    job = {"reason": "never seen before", "waiting": "", "status": "running"}
    assert _why({**job, "progress": {"step": 3, "total": 10, "eta_s": 236.0}}) == (
        "never seen before. Step 3 of 10, about 4 min left"
    )
    assert _why({**job, "progress": None}) == "never seen before"
