"""The scenario: every word a user may write, as frozen models. Field descriptions become the JSON Schema."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A part of a scenario: nothing unknown, nothing coerced, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Words = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


# --- task: what is learned, and who holds which examples ---------------------------------------------------------


class StdlibDocs(Section):
    """Python's own standard library: a text is a docstring and its code, the label is the package."""

    kind: Literal["stdlib-docs"]


class Files(Section):
    """Local jsonl(.gz), csv, tsv or parquet files."""

    kind: Literal["files"]
    data_dir: str = Field(".", description="Folder of the files; relative to the scenario file.")
    train: str = Field(description="Training file, relative to data_dir.")
    test: str = Field(description="Test file, relative to data_dir.")
    text: str = Field("text", description="Column with the text.")
    text_pair: str | None = Field(None, description="Column with the second text of a pair.")
    label: str = Field("label", description="Column with the label, integers or words.")
    natural_id: str | None = Field(None, description="Column naming the owner, for partition kind natural-id.")


class Hub(Section):
    """A dataset by its hub name, loaded with `datasets`; needs the network or a filled cache."""

    kind: Literal["hub"]
    path: str = Field(description="Dataset name on the hub, for example glue.")
    name: str | None = Field(None, description="Configuration of the dataset, for example sst2.")
    train_split: str = "train"
    test_split: str = "validation"
    text: str = "text"
    text_pair: str | None = None
    label: str = "label"
    natural_id: str | None = None


class NoData(Section):
    """No examples and no training: only plans, transfers and folds, to stress the machinery."""

    kind: Literal["none"]
    labels: Positive = Field(2, description="Number of labels the head would have.")
    examples_per_device: Positive = Field(32, description="Examples each device is said to hold (its weight).")


Dataset = Annotated[StdlibDocs | Files | Hub | NoData, Field(discriminator="kind")]


class Iid(Section):
    """Equal shares, drawn at random."""

    kind: Literal["iid"]


class Dirichlet(Section):
    """Label mixes drawn from Dirichlet(alpha) per label: the smaller alpha, the more skewed."""

    kind: Literal["dirichlet"]
    alpha: float = Field(1.0, gt=0)


class Pathological(Section):
    """Each device holds only a few labels."""

    kind: Literal["pathological"]
    labels_per_device: Positive = 2


class Shard(Section):
    """Examples sorted by label, cut into shards, a few shards dealt to each device."""

    kind: Literal["shard"]
    shards_per_device: Positive = 2


class NaturalId(Section):
    """One owner in the data is one device; more devices than owners leaves devices without examples."""

    kind: Literal["natural-id"]


class SizeSkewed(Section):
    """Random labels, sizes that grow with the device id."""

    kind: Literal["size-skewed"]
    growth: Literal["linear", "square", "exponential"] = "linear"


Partition = Annotated[Iid | Dirichlet | Pathological | Shard | NaturalId | SizeSkewed, Field(discriminator="kind")]


class Eval(Section):
    """How the global model is judged after each round."""

    max_examples: Positive | None = Field(None, description="A fixed random subset of the test set; null: all of it.")
    every: Positive = Field(1, description="Evaluate every so many rounds, and after the last.")


class Task(Section):
    """The task: a dataset, its partition over the devices, and how it is judged."""

    dataset: Dataset = StdlibDocs(kind="stdlib-docs")
    partition: Partition = Dirichlet(kind="dirichlet", alpha=1.0)
    min_examples: Positive = Field(8, description="A device with fewer examples has too few.")
    too_few: Literal["top-up", "sit-out"] = Field(
        "top-up",
        description="A device with too few examples copies random ones from the whole training set, or rests.",
    )
    max_length: Annotated[int, Field(ge=16, le=8192)] = Field(64, description="Tokens a text is cut to.")
    eval: Eval = Eval()

    @model_validator(mode="before")
    @classmethod
    def _accept_none(cls, data: object) -> object:
        """`task: none` is short for a task without data."""
        return {"dataset": {"kind": "none"}} if data == "none" else data


# --- model --------------------------------------------------------------------------------------------------------


class Model(Section):
    """The frozen backbone, where LoRA goes, and what classifies."""

    backbone: str = Field("minilm-l6", description="minilm-l6 (embedded), a local folder, or a hub name.")
    target_modules: Words | None = Field(
        None, description="Linear modules that carry LoRA (peft's name); null: query and value of each layer."
    )
    pooling: Literal["mean", "native"] = Field(
        "mean",
        description="mean: masked mean and a linear head; native: the architecture's own classification head.",
    )
    head: Literal["shared", "local", "frozen"] = Field(
        "shared", description="shared: trained and aggregated; local: trained, never sent; frozen: neither."
    )


# --- fleet --------------------------------------------------------------------------------------------------------


class DefaultMode(Section):
    """Every device runs in its profile's default power mode."""

    kind: Literal["default"]


class FixedMode(Section):
    """Every device of the group runs in one named power mode."""

    kind: Literal["fixed"]
    mode: str


class RandomMode(Section):
    """A power mode is drawn per device, and drawn again every so many rounds."""

    kind: Literal["random"]
    redraw_every: Positive = Field(20, description="Rounds between draws (LEGEND's testbed: 20).")


ModePolicy = Annotated[DefaultMode | FixedMode | RandomMode, Field(discriminator="kind")]


class ConstantLink(Section):
    """The same bandwidth always."""

    kind: Literal["constant"]
    down_mbps: float = Field(gt=0)
    up_mbps: float = Field(gt=0)
    latency_ms: float = Field(10.0, ge=0)


class UniformLink(Section):
    """Bandwidth drawn uniformly per device, round and direction."""

    kind: Literal["uniform"]
    low_mbps: float = Field(gt=0)
    high_mbps: float = Field(gt=0)
    latency_ms: float = Field(10.0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> "UniformLink":
        if self.low_mbps > self.high_mbps:
            raise ValueError("low_mbps must not exceed high_mbps")
        return self


class WifiLink(Section):
    """WiFi at several distances (LEGEND's testbed: 2, 8, 14, 20 m; 1-30 Mb/s); devices are dealt to the distances.

    The mean falls linearly from high_mbps at the nearest place to low_mbps at the farthest; each round and direction
    varies log-normally around it, clipped to [low_mbps, high_mbps]. Mean and spread per place are reconstructed.
    """

    kind: Literal["wifi"]
    distances_m: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(strict=False, min_length=1)] = (
        2.0,
        8.0,
        14.0,
        20.0,
    )
    low_mbps: float = Field(1.0, gt=0)
    high_mbps: float = Field(30.0, gt=0)
    spread: float = Field(0.35, ge=0, description="Standard deviation of the log of the bandwidth.")
    latency_ms: float = Field(5.0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> "WifiLink":
        if self.low_mbps > self.high_mbps:
            raise ValueError("low_mbps must not exceed high_mbps")
        return self


Link = Annotated[ConstantLink | UniformLink | WifiLink, Field(discriminator="kind")]


class DeviceGroup(Section):
    """So many devices of one profile."""

    profile: str = Field(description="A device of the catalogue: `fedray catalog devices`.")
    count: Positive
    modes: ModePolicy = RandomMode(kind="random")
    link: Link | None = Field(None, description="Overrides the fleet's link.")


def _legend_testbed() -> tuple[DeviceGroup, ...]:
    return (
        DeviceGroup(profile="jetson-tx2", count=30),
        DeviceGroup(profile="jetson-xavier-nx", count=40),
        DeviceGroup(profile="jetson-agx-xavier", count=10),
    )


class Fleet(Section):
    """The devices. Without groups: the LEGEND testbed, 30 TX2 + 40 Xavier NX + 10 AGX Xavier."""

    catalogue: str | None = Field(None, description="Folder with further device YAMLs.")
    groups: Annotated[tuple[DeviceGroup, ...], Field(strict=False, min_length=1)] = Field(
        default_factory=_legend_testbed
    )
    link: Link = WifiLink(kind="wifi")


# --- training, runtime, telemetry ---------------------------------------------------------------------------------


class Optimiser(Section):
    """AdamW, fresh in every round (optimiser state does not survive a round)."""

    learning_rate: float = Field(1e-3, gt=0, description="For the LoRA tensors.")
    head_learning_rate: float = Field(1e-2, gt=0, description="For the classification head.")
    weight_decay: float = Field(0.0, ge=0)


class Stop(Section):
    """End before the last round."""

    target_accuracy: Share | None = Field(None, description="Stop once the evaluated accuracy reaches this.")
    emulated_hours: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Stop once so much emulated time passed."
    )


class Training(Section):
    """How long and how each device trains."""

    rounds: Positive = 10
    local_steps: Positive = 4
    batch_size: Positive = 8
    optimiser: Optimiser = Optimiser()
    participants: Positive | Literal["all"] = Field("all", description="Devices per round, drawn anew each round.")
    stop: Stop = Stop()


class Runtime(Section):
    """How the emulation is spread over the Ray cluster; none of it changes a result."""

    hosts: Positive | Literal["auto"] = Field("auto", description="Host actors; auto: one per free CPU slot.")
    devices_per_host: Positive | Literal["auto"] = Field("auto", description="1: one actor per device.")
    cpus_per_host: float = Field(1.0, ge=0)
    gpus_per_host: float = Field(0.0, ge=0)
    clock: Literal["virtual"] = Field("virtual", description="virtual: training is real, time is computed.")

    @model_validator(mode="after")
    def _one_way(self) -> "Runtime":
        if self.hosts != "auto" and self.devices_per_host != "auto":
            raise ValueError("give hosts or devices_per_host, not both")
        return self


class Telemetry(Section):
    """What others can watch."""

    prometheus_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        None, description="Serve metrics there while the run goes on; 0: any free port; null: do not."
    )
    prometheus_bind: str = Field("127.0.0.1", description="Address to serve metrics on.")


class Scenario(Section):
    """One experiment: `fedray run` executes it."""

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = "run"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    task: Task = Task()
    model: Model = Model()
    fleet: Fleet = Fleet()
    method: dict[str, Any] = Field(
        default_factory=lambda: {"name": "fedit"}, description="A method by name, with its parameters."
    )
    training: Training = Training()
    runtime: Runtime = Runtime()
    telemetry: Telemetry = Telemetry()

    @property
    def device_count(self) -> int:
        return sum(group.count for group in self.fleet.groups)

    @property
    def participant_count(self) -> int:
        wanted = self.training.participants
        return self.device_count if wanted == "all" else min(wanted, self.device_count)
