"""A run's folder: made once, read at any moment, gone at once."""

import threading
from pathlib import Path

from assay_chassis.compute import Cause
from assay_chassis.compute.context import JobContext
from assay_chassis.compute.folder import RunFolder
from assay_chassis.compute.keeper import explain
from assay_chassis.log_excerpt import KEPT_BYTES
from contract_bench import make_run


def test_of_many_who_create_a_run_one_does(tmp_path: Path) -> None:
    made: list[bool] = []
    threads = [threading.Thread(target=lambda: made.append(RunFolder.create(tmp_path, make_run()))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 15 + [True]
    assert [folder.name for folder in RunFolder.all_in(tmp_path)] == [make_run().name]
    assert [path.name for path in tmp_path.iterdir()] == [make_run().name], "nothing else is left"


def test_the_first_run_of_a_name_stays(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, make_run(payload={"seed": 1}))
    RunFolder.create(tmp_path, make_run(payload={"seed": 2}))
    assert RunFolder(tmp_path / make_run().name).run() == make_run(payload={"seed": 1})


def test_a_log_tail_is_whole_lines_of_the_end(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.log_tail(5) == ""
    folder.log.write_text("".join(f"line {number}\n" for number in range(1000)))
    assert folder.log_tail(2) == "line 998\nline 999"
    assert folder.log_tail(0) == ""
    assert len(folder.log_tail(1000).splitlines()) == 1000
    assert folder.log_tail(1000, max_bytes=100).endswith("line 999")


def test_of_a_long_log_the_beginning_and_the_end_are_kept_and_a_line_says_so(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.whole_log() == ""
    folder.log.write_text("first\nlast\n")
    assert folder.whole_log() == "first\nlast"
    with folder.log.open("w") as log:
        log.writelines(f"line {number:06} {'x' * 1000}\n" for number in range(9000))
    text = folder.whole_log()
    lines = text.splitlines()
    assert len(text.encode()) <= KEPT_BYTES
    assert lines[0].startswith("line 000000 ")
    assert lines[-1].startswith("line 008999 ")
    (left_out,) = [line for line in lines if not line.startswith("line ")]
    kept = sum(len(line) + 1 for line in lines if line.startswith("line "))
    assert f"{9000 * 1013 - kept:,} bytes of this log are left out here: it has {9000 * 1013:,}" in left_out


def test_a_long_log_without_lines_is_cut_all_the_same(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.log.write_text("a" * KEPT_BYTES + "z" * 100)
    text = folder.whole_log()
    assert text.startswith("aaa")
    assert text.endswith("zzz")
    assert len(text) <= KEPT_BYTES


def test_a_folder_that_is_gone_has_no_records(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "gone")
    assert folder.records() is None
    assert folder.read("outcome") is None
    folder.remove()
    assert RunFolder.all_in(tmp_path / "gone") == []


def test_finishing_writes_the_progress_that_was_held_back(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, make_run())
    folder = RunFolder(tmp_path / make_run().name)
    context = JobContext(make_run(), folder, threading.Event())
    context.report_progress({"step": 1})
    context.report_progress({"step": 2})
    first = folder.read("progress")
    assert first is not None
    assert (first["sequence"], first["record"]) == (1, {"step": 1})
    context.finish({})
    last = folder.read("progress")
    assert last is not None
    assert (last["sequence"], last["record"]) == (2, {"step": 2})


def test_a_record_that_a_power_failure_left_empty_hides_neither_its_run_nor_others(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, make_run())
    folder = RunFolder(tmp_path / make_run().name)
    (folder.path / "progress.json").write_bytes(b"")
    records = folder.records()
    assert records is not None
    assert records.progress is None


def test_an_end_by_a_signal_that_has_no_name_is_said_too(tmp_path: Path) -> None:
    cause, reason, code = explain(40, None, RunFolder(tmp_path))
    assert (cause, code) == (Cause.KILLED, -40)
    assert "signal 40" in reason
    assert "SIGKILL" in explain(9, None, RunFolder(tmp_path))[1]
