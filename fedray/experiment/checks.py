"""What a valid scenario may still get wrong: pure functions of an experiment, for `validate` and `run`."""

from collections.abc import Iterator
from dataclasses import dataclass

from fedray.experiment.dry_run import dry_run
from fedray.experiment.experiment import Experiment
from fedray.results import DataReport
from fedray.scenario.source import show

MOST_CUT = 0.05  # of the texts: what `max_length: auto` cuts at most


@dataclass(frozen=True)
class ScenarioWarning:
    """One line, about the value of a dotted key."""

    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}"


def warnings_of(experiment: Experiment) -> tuple[ScenarioWarning, ...]:
    """All that should be known before a run; its first round is planned for it, and nothing is trained."""
    data = experiment.data
    return (
        *_memory(experiment),
        *_priced_steps(experiment),
        *(_data_warnings(experiment, data.report) if data else ()),
    )


def _memory(experiment: Experiment) -> Iterator[ScenarioWarning]:
    """Devices of the first round that run out of memory."""
    planned = dry_run(experiment, 1).devices
    short = [device for device in planned if not device.fits]
    if not short:
        return
    profiles = ", ".join(sorted({device.profile for device in short}))
    devices = "all" if len(short) == len(planned) else f"{len(short):,} of"
    yield ScenarioWarning(
        "training.batch_size",
        f"{devices} {len(planned):,} devices of round 1 run out of memory ({profiles}); they never send an update: "
        "lower it, or task.max_length, or let the method spare them",
    )


def _priced_steps(experiment: Experiment) -> Iterator[ScenarioWarning]:
    """A cost twin whose steps are not those that are trained."""
    twin, trained = experiment.scenario.costs.twin, experiment.scenario.training.local_steps
    if twin is not None and twin.local_steps not in (None, trained):
        yield ScenarioWarning(
            "costs.twin.local_steps",
            f"{trained} steps trained / {twin.local_steps} steps priced a round: accuracy is that of {trained} local "
            f"steps, seconds are those of {twin.local_steps}",
        )


def _data_warnings(experiment: Experiment, report: DataReport) -> Iterator[ScenarioWarning]:
    examples, devices, texts = report.examples, report.devices, report.texts
    target = experiment.scenario.training.stop.target
    if target is not None and report.majority_accuracy is not None and target <= report.majority_accuracy:
        yield ScenarioWarning(
            "training.stop.target",
            f"{target:g} is not above {report.majority_accuracy:.3f}, the accuracy of always answering "
            f"{show(report.majority_label)}",
        )
    if max(texts.train_cut_share, texts.test_cut_share) > MOST_CUT:
        yield ScenarioWarning(
            "task.max_length",
            f"{texts.max_length} tokens cut {texts.train_cut_share:.0%} of the training and {texts.test_cut_share:.0%} "
            f"of the test texts; 95 % of the training texts have at most {texts.train_p95:,} tokens",
        )
    if examples.dropped:
        yield ScenarioWarning(
            "task.partition",
            f"{examples.dropped:,} of {examples.train:,} training examples are used by no device",
        )
    if devices.sitting_out:
        none, few = devices.without_examples, devices.sitting_out - devices.without_examples
        parts = [f"{none:,} have no examples"] * (none > 0)
        parts += [f"{few:,} have fewer than {experiment.scenario.task.min_examples}"] * (few > 0)
        yield ScenarioWarning(
            "task.partition",
            f"{devices.sitting_out:,} of {devices.total:,} devices never take part: {', '.join(parts)}",
        )
    if devices.topped_up:
        yield ScenarioWarning(
            "task.too_few",
            f"{devices.topped_up:,} devices also train on {examples.copied:,} copies of others' examples, which count "
            "neither in weights nor in label histograms",
        )
