"""Runs as jobs of a Ray cluster, over Ray's job API, with the cluster's token."""

import asyncio
import logging
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from ray.job_submission import JobStatus, JobSubmissionClient

from fedray.errors import UserError
from fedray.runtime.shipping import local_packages
from fedray.scenario import LoadedScenario

PACKAGE = Path(__file__).resolve().parents[1]
EXIT_CODES = {JobStatus.SUCCEEDED: 0, JobStatus.STOPPED: 130}


@dataclass(frozen=True)
class Job:
    """One submitted run; `run_dir` is on the cluster node that runs the coordinator."""

    id: str
    status: str
    scenario: str
    run_dir: str
    submitted: str


class Jobs:
    """The jobs of one cluster, by the address of its dashboard."""

    def __init__(self, address: str) -> None:
        """UserError if no server answers there, or the token is missing or wrong."""
        self.address = address
        logging.getLogger("ray").setLevel(logging.WARNING)  # it would report every upload
        with self._plain_errors():
            self.client = JobSubmissionClient(address)

    def submit(self, loaded: LoadedScenario, python: str | None = None) -> Job:
        """Ship the resolved scenario and this fedray to the cluster and start the run there.

        `python` is the interpreter on the cluster; by default this one if the cluster is on this machine, else the
        `python` of its PATH. The package of a method that is not installed among Python's own goes along. Local data
        and backbones are not shipped: their paths must exist there.
        """
        scenario = loaded.scenario
        now = datetime.now(UTC)
        submission_id = f"fedray-{scenario.name}-{now:%Y%m%d-%H%M%S-%f}"
        run_dir = f"~/fedray-runs/{submission_id}"
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as aside, self._plain_errors():
            (Path(folder) / "scenario.yaml").write_text(loaded.to_yaml())
            packages = local_packages([scenario.method["name"]], Path(aside))
            command = f"{shlex.quote(python or self._python())} -m fedray run scenario.yaml --address auto --run-dir"
            self.client.submit_job(
                entrypoint=f"exec {command} {run_dir}",
                submission_id=submission_id,
                runtime_env={"working_dir": folder, "py_modules": [str(PACKAGE), *packages]},
                metadata={"fedray": scenario.name, "run_dir": run_dir, "submitted": now.isoformat(timespec="seconds")},
            )
        return self.find(submission_id)

    def all(self) -> list[Job]:
        """Every fedray job the cluster remembers, latest last."""
        with self._plain_errors():
            details = self.client.list_jobs()
        jobs = [
            Job(
                id=detail.submission_id or "",
                status=detail.status.value,
                scenario=detail.metadata["fedray"],
                run_dir=detail.metadata["run_dir"],
                submitted=detail.metadata["submitted"],
            )
            for detail in details
            if detail.metadata and "fedray" in detail.metadata
        ]
        return sorted(jobs, key=lambda job: job.submitted)

    def find(self, job: str) -> Job:
        """A job by its id; UserError with the known ids otherwise."""
        jobs = {known.id: known for known in self.all()}
        if job not in jobs:
            raise UserError(
                f"no job {job!r} at {self.address}; allowed: {', '.join(jobs) or 'none, there are no jobs'}"
            )
        return jobs[job]

    def logs(self, job: str) -> str:
        """What the job has printed so far."""
        self.find(job)
        with self._plain_errors():
            logs: str = self.client.get_job_logs(job)
        return logs

    def follow(self, job: str) -> Iterator[str]:
        """What the job prints, as it does, until it ends."""
        self.find(job)
        with asyncio.Runner() as runner, self._plain_errors():
            lines = self.client.tail_job_logs(job)
            while True:
                try:
                    yield runner.run(anext(lines))
                except StopAsyncIteration:
                    return

    def exit_code(self, job: str) -> int:
        """The exit code of an ended job, as `fedray run` would have given it."""
        with self._plain_errors():
            info = self.client.get_job_info(job)
        known = EXIT_CODES.get(info.status)
        return known if known is not None else info.driver_exit_code or 1

    def stop(self, job: str) -> Job:
        """Interrupt a job; it concludes its run directory and ends."""
        self.find(job)
        with self._plain_errors():
            self.client.stop_job(job)
        return self.find(job)

    def _python(self) -> str:
        local = urlsplit(self.address).hostname in ("127.0.0.1", "localhost", "::1")
        return sys.executable if local else "python"

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            hint = "; set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH" if "auth" in str(error).lower() else ""
            raise UserError(f"--address {self.address}: {reason}{hint}") from None
