"""`task`: what is learned, and who holds which examples."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from fedray.scenario.schema.base import Positive, Section

EXAMPLES = "The examples: their source, columns and splits."
DIVISION = "How the training examples are divided over the devices."
WITHOUT_DATA = 64  # tokens of a text of a task without data, where `max_length: auto` has nothing to choose from


class Validation(Section):
    """Examples for what is decided in the course of a study: targets, early stopping, best rounds, tuning.

    No device holds them; the test examples are left for the curve and the final figure. Give one key.
    """

    share: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="Of the training examples, drawn at random by the run's seed and held out."
    )
    file: str | None = Field(None, description="A file beside the training file (dataset kind files).")
    split: str | None = Field(None, description="A split of the dataset (dataset kind hub).")

    @model_validator(mode="after")
    def _one(self) -> "Validation":
        if sum(value is not None for value in (self.share, self.file, self.split)) != 1:
            raise ValueError("give exactly one of share, file, split")
        return self


class Eval(Section):
    """How the global model is judged after each round."""

    max_examples: Positive | None = Field(
        None, description="A fixed random subset of the test and of the validation examples; null: all."
    )
    every: Positive = Field(1, description="Rounds between evaluations; the last round is always evaluated.")


class OpenTask(Section):
    """A task of any kind: what every task has, and what the user wrote beside it.

    `dataset`, `partition` and further keys are kept as written: who knows the kinds of tasks, datasets and partitions
    (fedray.learning) validates them, and puts a section of the task's kind in the place of this one.
    """

    model_config = ConfigDict(extra="allow")

    kind: str = Field("classification", description="What is learned.")
    dataset: Any = Field({"kind": "stdlib-docs"}, description=EXAMPLES)
    partition: Any = Field({"kind": "dirichlet", "alpha": 1.0}, description=DIVISION)
    min_examples: Positive = Field(1, description="A device with fewer examples of its own has too few.")
    too_few: Literal["top-up", "sit-out"] = Field(
        "sit-out",
        description="sit-out: a device with too few examples never takes part. top-up: it also trains on copies of "
        "random others, which count neither in weights nor in label histograms. A device with none sits out.",
    )
    max_length: Annotated[int, Field(ge=16, le=8192)] | Literal["auto"] = Field(
        "auto",
        description="Tokens a text is cut to. auto: the 95th percentile of the training texts, rounded up to a "
        "multiple of 16, at most 512 and what the backbone reads; without data, 64.",
    )
    validation: Validation | None = Field(
        Validation(share=0.1), description="null: none; targets then refer to the test examples (for quick looks only)."
    )
    eval: Eval = Field(Eval(), description="How often, and on how many examples, the global model is evaluated.")

    @property
    def max_tokens(self) -> int:
        """`max_length` as a number.

        ValueError if it is `auto` and has not been chosen from the data yet, as `prepare` does.
        """
        if self.max_length == "auto":
            raise ValueError("max_length is auto: it is chosen when the data is read")
        return self.max_length

    @model_validator(mode="before")
    @classmethod
    def _accept_none(cls, data: object) -> object:
        """`task: none` is short for a task without data."""
        return {"dataset": {"kind": "none"}} if data == "none" else data
