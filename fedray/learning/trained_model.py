"""The model that a run has trained, for use after it."""

from pathlib import Path
from typing import NamedTuple

from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from fedray.learning.backbone import locate
from fedray.learning.classifier import load_classifier, tokenizer_of
from fedray.scenario import LoadedScenario


class TrainedModel(NamedTuple):
    """A backbone under a run's adapter and head, in evaluation mode.

    `labels[i]` is the name of logit i; there are none where the one output is a number.
    """

    model: PeftModel
    tokenizer: PreTrainedTokenizerBase
    labels: tuple[str, ...]


def load_trained(loaded: LoadedScenario, adapter: Path, labels: tuple[str, ...]) -> TrainedModel:
    """The backbone of a scenario under the PEFT adapter of a folder; UserError if the backbone is not found."""
    location = locate(loaded)
    base = load_classifier(location, max(len(labels), 1), loaded.scenario.model.pooling)
    return TrainedModel(PeftModel.from_pretrained(base, adapter).eval(), tokenizer_of(location), labels)
