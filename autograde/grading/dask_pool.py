"""Grades on the workers of a Dask cluster, with the same interface as `pool`. See docs/cluster.md.

Each worker grades with its own pool, in the same confinement as on this machine. It reads the course's folder, which it
must see at the same path. If a worker is lost, another worker grades the submissions that it was grading.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from autograde.course import CourseError, Work, load_course
from autograde.exception_names import public_name
from autograde.grading.digests import compute_digest
from autograde.grading.pool import GraderError
from autograde.grading.pool_cache import grade_one
from autograde.notebooks.extract import Submission
from autograde.report import ConfinementLevel, Report, broken_report

WORKERS_S = 60.0
"""how long to wait for the first suitable worker"""
AHEAD = 3
"""submissions sent ahead for each thread of the workers, so that no thread waits for its next one"""
RETRIES = 2
GPU = {"GPU": 1}
NEEDS_CHILDREN = (
    "this Dask worker may not start processes; start it with --no-nanny, or with DASK_DISTRIBUTED__WORKER__DAEMON=False"
)
_one_at_a_time = threading.Lock()


class DaskPool:
    """The workers of the cluster whose scheduler is at `address`. Close it, or use it as a context."""

    def __init__(self, work: Work, jobs: int, device: str, *, address: str) -> None:
        """Raises GraderError if no scheduler answers. The cluster decides `jobs`; cuda needs workers with a GPU."""
        try:
            from distributed import Client
        except ModuleNotFoundError:
            raise CourseError("--dask needs Dask; run `pip install llm-course-kit[cluster]`") from None
        self.work, self.address = work, address
        self.confinement: ConfinementLevel | None = None  # differs between workers; their reports record it
        try:
            self.client: Any = Client(address, timeout=WORKERS_S)
        except (OSError, ValueError, TypeError) as error:
            raise GraderError(f"no Dask scheduler answers at {address} ({public_name(error)})") from None
        try:
            workers = self._wait_for_workers(need_gpu=device == "cuda")
        except BaseException:
            self.close()
            raise
        offered = any("GPU" in worker.get("resources", {}) for worker in workers)
        self.device = ("cuda" if offered else "cpu") if device == "auto" else device
        self.ahead = AHEAD * sum(worker["nthreads"] for worker in workers)

    def grade(self, submissions: Iterable[Submission]) -> Iterator[Report]:
        """Yield reports as they become ready. Raises GraderError if a worker cannot grade at all."""
        from distributed import as_completed

        waiting, sent = iter(submissions), dict[str, Submission]()
        first = [self._send(submission, sent) for submission in islice(waiting, self.ahead)]
        done: Any = as_completed(first)
        for future in done:
            yield self._receive_report(future, sent.pop(future.key))
            future.release()
            for submission in islice(waiting, 1):
                done.add(self._send(submission, sent))

    def _send(self, submission: Submission, sent: dict[str, Submission]) -> Any:
        future = self.client.submit(
            grade_on_worker,
            str(self.work.course.root),
            submission,
            self.device,
            resources=GPU if self.device == "cuda" else None,
            retries=RETRIES,
            pure=False,
        )
        sent[future.key] = submission
        return future

    def _receive_report(self, future: Any, submission: Submission) -> Report:
        from distributed.scheduler import KilledWorker

        error = future.exception()
        if isinstance(error, KilledWorker):
            reason = "every Dask worker that graded this submission died while grading it"
            return broken_report(submission.slug, submission.student, reason)
        if error is not None:
            raise GraderError(f"a Dask worker of {self.address} cannot grade: {str(error)[:500]}") from None
        report: Report = future.result()
        if not report.withheld and report.digest != compute_digest(self.work, submission.fingerprint):
            raise GraderError(
                f"a Dask worker of {self.address} graded with another version of the engine or of the course "
                f"{self.work.course.root}; give all of them the same files, and restart the workers"
            )
        return report

    def _wait_for_workers(self, need_gpu: bool) -> list[dict[str, Any]]:
        end = time.monotonic() + WORKERS_S
        while True:
            workers = list(self.client.scheduler_info(n_workers=-1)["workers"].values())
            if any(not need_gpu or "GPU" in worker.get("resources", {}) for worker in workers):
                return workers
            if time.monotonic() > end:
                what = (
                    'no worker offers a GPU; start some with --resources "GPU=1"'
                    if workers
                    else "no worker is connected"
                )
                raise GraderError(f"the Dask cluster at {self.address}: {what}")
            time.sleep(0.2)

    def close(self) -> None:
        self.client.close()

    def __enter__(self) -> DaskPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def grade_on_worker(root: str, submission: Submission, device: str) -> Report:
    """Grade one submission on a worker, with the worker's own pool."""
    if multiprocessing.current_process().daemon:
        raise GraderError(NEEDS_CHILDREN)
    with _one_at_a_time:
        return grade_one(load_course(Path(root)).open(submission.slug), submission, device)
