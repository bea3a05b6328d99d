"""`task`: what is learned, and who holds which examples."""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from fedray.scenario.schema.base import LARGEST, Positive, Section, Words

WITHOUT_DATA = 64  # tokens of a text of a task without data, where `max_length: auto` has nothing to choose from
LABEL_NAMES = (
    "Names of integer labels in ascending order, counted from 0, or from 1 if the largest equals their number; null: "
    "those that the data carries (ClassLabel), or the labels as they are."
)


class StdlibDocs(Section):
    """Python's own standard library: a text is a docstring and its code, the label is the package."""

    kind: Literal["stdlib-docs"] = Field(
        description="The standard library of the running Python; needs no file and no network."
    )


class Files(Section):
    """Local jsonl(.gz), csv, tsv or parquet files."""

    kind: Literal["files"] = Field(description="Your own files.")
    data_dir: str = Field(".", description="Folder of the files; relative to the scenario file.")
    train: str = Field(description="Training file, relative to data_dir.")
    test: str = Field(description="Test file, relative to data_dir.")
    text: str = Field("text", description="Column with the text.")
    text_pair: str | None = Field(None, description="Column with the second text of a pair; null: single texts.")
    label: str = Field("label", description="Column with the label, integers or words.")
    label_names: Words | None = Field(None, description=LABEL_NAMES)
    natural_id: str | None = Field(
        None, description="Column naming the owner, for partition kind natural-id; null: no owners are named."
    )


class Hub(Section):
    """A dataset by its hub name, loaded with `datasets`; needs the network or a filled cache."""

    kind: Literal["hub"] = Field(description="A dataset of the hub.")
    path: str = Field(description="Dataset name on the hub, for example glue.")
    name: str | None = Field(None, description="Configuration of the dataset, for example sst2.")
    train_split: str = Field("train", description="Split with the training examples.")
    test_split: str = Field("validation", description="Split with the test examples.")
    text: str = Field("text", description="Column with the text.")
    text_pair: str | None = Field(None, description="Column with the second text of a pair; null: single texts.")
    label: str = Field("label", description="Column with the label, integers or words.")
    label_names: Words | None = Field(None, description=LABEL_NAMES)
    natural_id: str | None = Field(
        None, description="Column naming the owner, for partition kind natural-id; null: no owners are named."
    )


class NoData(Section):
    """No examples and no training: only plans, transfers and folds, to stress the machinery."""

    kind: Literal["none"] = Field(description="No examples, no training and no accuracy.")
    labels: Positive = Field(2, description="Number of labels the head would have.")
    examples_per_device: Positive = Field(32, description="Examples each device is said to hold (its weight).")


Dataset = Annotated[StdlibDocs | Files | Hub | NoData, Field(discriminator="kind")]


def dataset_kinds() -> dict[str, str]:
    """The kinds of datasets and what they are."""
    kinds = (StdlibDocs, Files, Hub, NoData)
    return {get_args(kind.model_fields["kind"].annotation)[0]: str(kind.__doc__) for kind in kinds}


ExamplesPerDevice = Annotated[int, Field(ge=1, le=1_000_000)]


class Iid(Section):
    """Equal shares, drawn at random."""

    kind: Literal["iid"] = Field(description="Equal shares of all labels.")
    examples_per_device: ExamplesPerDevice | None = Field(
        None,
        description="Draw as many for every device from the whole training set: devices may hold the same example, so "
        "a large fleet holds data. null: every example goes to one device.",
    )


class Dirichlet(Section):
    """Each label's examples are divided over the devices by Dirichlet(alpha): the smaller alpha, the more skewed."""

    kind: Literal["dirichlet"] = Field(description="A label mix per device, drawn from a Dirichlet distribution.")
    alpha: float = Field(
        1.0,
        gt=0,
        le=LARGEST,
        description="Concentration of the Dirichlet distribution; a small one is a strong label skew.",
    )
    examples_per_device: ExamplesPerDevice | None = Field(
        None,
        description="Draw as many for every device from the whole training set, by a label mix of its own from "
        "Dirichlet(alpha * label shares) (Hsu et al. 2019): devices may hold the same example, so a large fleet holds "
        "data. null: every example goes to one device.",
    )


class Pathological(Section):
    """Each device holds only a few labels."""

    kind: Literal["pathological"] = Field(description="A few labels per device.")
    labels_per_device: Positive = Field(2, description="Number of labels each device holds.")


class Shard(Section):
    """Examples sorted by label, cut into shards, a few shards dealt to each device."""

    kind: Literal["shard"] = Field(description="A few shards of label-sorted examples per device.")
    shards_per_device: Positive = Field(2, description="Number of shards each device receives.")


class NaturalId(Section):
    """An owner's examples stay together on one device, which may hold several owners.

    The owner with most examples is placed first, each on the device with fewest so far; which device that is among
    equals is drawn. More devices than owners leaves devices without examples, which sit out.
    """

    kind: Literal["natural-id"] = Field(
        description="One owner's examples stay on one device; needs `natural_id` in the dataset."
    )


class SizeSkewed(Section):
    """Random labels; sizes grow linearly, squared or exponentially over the devices, in an order that is drawn.

    Device ids follow the boards of `fleet.groups`, so sizes by id would make data a property of the board.
    """

    kind: Literal["size-skewed"] = Field(description="Random labels, and a different number of examples per device.")
    growth: Literal["linear", "square", "exponential"] = Field(
        "linear", description="How the number of examples grows from the smallest device to the largest."
    )


Partition = Annotated[Iid | Dirichlet | Pathological | Shard | NaturalId | SizeSkewed, Field(discriminator="kind")]


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


class Task(Section):
    """The task: a dataset, its partition over the devices, and how it is judged."""

    dataset: Dataset = Field(
        StdlibDocs(kind="stdlib-docs"), description="The examples: their source, columns and splits."
    )
    partition: Partition = Field(
        Dirichlet(kind="dirichlet", alpha=1.0), description="How the training examples are divided over the devices."
    )
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
