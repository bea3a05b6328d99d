"""Examples held out from training, for what is decided in the course of a study."""

from dataclasses import replace

import numpy as np

from fedray.learning.corpus import Corpus, read_validation
from fedray.learning.texts import Texts
from fedray.scenario import LoadedScenario
from fedray.seeds import Purpose, generator


def hold_out(corpus: Corpus, loaded: LoadedScenario) -> tuple[Corpus, Texts | None]:
    """The corpus without its validation examples, and these; None if the task asks for none.

    A share is drawn at random by the run's seed, at least one example and never all.

    Raises
    ------
    UserError
        with key and place, if a file or split cannot be read, or the dataset has no such thing.
    """
    section = loaded.scenario.task.validation
    if section is None:
        return corpus, None
    if section.share is None:
        return corpus, read_validation(loaded, corpus.task)
    order = generator(loaded.scenario.seed, Purpose.VALIDATION).permutation(len(corpus.train))
    count = min(max(1, round(section.share * len(order))), len(order) - 1)
    held_out, kept = np.sort(order[:count]), np.sort(order[count:])
    return replace(corpus, train=corpus.train.take(kept)), corpus.train.take(held_out)
