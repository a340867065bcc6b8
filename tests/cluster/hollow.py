"""A node whose pods do nothing: each is over a moment after it started, with the records of a job that succeeded.
Never starts a process for a pod; for measuring what queues and counts them.

`python hollow.py NAME API_URL PORT CA CERTIFICATE KEY FOLDER`
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import kubelet

WORK_S = 0.5
CAPACITY = {"cpu": "5k", "memory": "16Ti", "pods": "5k"}


class HollowPod(kubelet.Pod):
    """Says what a pod's keeper would say."""

    async def _run(self) -> None:
        began = kubelet.now()
        await self._report("Running", {"running": {"startedAt": began}})
        await asyncio.sleep(WORK_S)
        self._leave_records({entry["name"]: entry.get("value", "") for entry in self._spec["env"]})
        end = {"exitCode": 0, "reason": "Completed", "startedAt": began, "finishedAt": kubelet.now()}
        await self._report("Succeeded", {"terminated": end})

    def _leave_records(self, environment: dict[str, str]) -> None:
        store = Path(environment["ASSAY_OBJECT_STORE"].removeprefix("file://"))
        folder = store / "runs" / environment["ASSAY_RUN_SERVICE"] / environment["ASSAY_RUN"]
        at = time.time()
        records = {
            "pod": self.metadata["uid"],
            "keeper": {"pid": 1, "at": at},
            "job": {"pid": 2, "at": at},
            "outcome": {},
            "end": {"cause": "finished", "reason": "finished", "exit_code": 0, "at": at},
        }
        whole = folder / ".records.json"
        whole.write_text(json.dumps(records))
        whole.replace(folder / "records.json")


if __name__ == "__main__":
    kubelet.Pod = HollowPod  # type: ignore[misc]
    kubelet.CAPACITY = CAPACITY
    asyncio.run(kubelet.main(sys.argv[1:]))
