"""`training`, `runtime`, `telemetry`: how long, how spread, how watched."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fedray.scenario.schema.base import LARGEST, Positive, Section, Share


class Optimiser(Section):
    """AdamW, fresh in every round (optimiser state does not survive a round)."""

    learning_rate: float = Field(1e-3, gt=0, le=LARGEST, description="Learning rate of the LoRA tensors.")
    head_learning_rate: float = Field(1e-2, gt=0, le=LARGEST, description="Learning rate of the classification head.")
    weight_decay: float = Field(0.0, ge=0, le=LARGEST, description="AdamW's decoupled weight decay; 0: none.")


class Stop(Section):
    """End before the last round."""

    target: Share | None = Field(
        None, description="Stop once the score (accuracy on the validation examples, else on the test's) holds this."
    )
    hold: Positive = Field(3, description="Evaluations in a row that have to reach the target.")
    emulated_hours: Annotated[float, Field(gt=0, le=LARGEST)] | None = Field(
        None, description="Stop once this much emulated time has passed."
    )


class Policy(Section):
    """When a round ends: with its last device, or sooner. Work unfinished by then is wasted."""

    deadline_seconds: float | None = Field(
        None,
        gt=0,
        le=LARGEST,
        description="Emulated seconds after which a round ends; null: it ends with its last device.",
    )
    over_selection: float = Field(
        1.0,
        ge=1,
        le=LARGEST,
        description="Select this multiple of `participants`; end the round once `participants` updates have arrived.",
    )


class Synchronous(Section):
    """A round begins for all devices when the one before has ended (FedAvg)."""

    kind: Literal["synchronous"] = Field(description="A round starts for all devices once the one before has ended.")


class StalenessDiscount(Section):
    """What an update counts whose device started `staleness` server steps ago (FedAsync, arXiv 1903.03934)."""

    staleness: Literal["polynomial", "hinge", "constant"] = Field(
        "polynomial",
        description="polynomial: (1 + staleness)^-staleness_exponent; hinge: 1 up to hinge_delay, then "
        "1 / (hinge_slope * (staleness - hinge_delay) + 1); constant: 1.",
    )
    staleness_exponent: float = Field(0.5, ge=0, le=LARGEST, description="Exponent of polynomial.")
    hinge_slope: float = Field(10.0, ge=0, le=LARGEST, description="Slope of hinge; FedAsync's a.")
    hinge_delay: Annotated[int, Field(ge=0, le=LARGEST)] = Field(
        4, description="Server steps without discount of hinge; FedAsync's b."
    )

    @model_validator(mode="after")
    def _used(self) -> "StalenessDiscount":
        of = {"staleness_exponent": "polynomial", "hinge_slope": "hinge", "hinge_delay": "hinge"}
        for name, rule in of.items():
            given = getattr(self, name)
            if rule != self.staleness and given != type(self).model_fields[name].default:
                raise ValueError(f"{name}: given {given:g}; allowed: none unless staleness is {rule}")
        return self


class Buffered(StalenessDiscount):
    """Semi-asynchronous (FedBuff): the server steps once `buffer` updates are in; the others go on meanwhile.

    A round is one such step. A device starts again after the step that takes in its update.
    `training.participants` are in flight at a time. Each float moves by the mean change, discounted for staleness, of
    the updates that hold it.
    """

    kind: Literal["buffered"] = Field(description="One server step per `buffer` updates.")
    buffer: Positive = Field(10, description="Number of updates per server step.")
    server_learning_rate: float = Field(
        1.0, gt=0, le=LARGEST, description="Multiple of the mean change that a step adds."
    )
    weights: Literal["uniform", "examples"] = Field(
        "uniform",
        description="uniform: every update of a step weighs the same, as in FedBuff; examples: as the method's own "
        "weights say, as in a synchronous round. An update that its method weighs by norm (hetlora) is in both.",
    )


class Asynchronous(StalenessDiscount):
    """Every update is a server step of its own (FedAsync): the layers it holds move towards it by a share.

    The share is `mixing`, discounted for staleness. A round is one such step.
    """

    kind: Literal["asynchronous"] = Field(description="One server step per update.")
    mixing: float = Field(0.6, gt=0, le=1, description="Weight of an update of staleness 0 in the layers it holds.")


RoundSchedule = Annotated[Synchronous | Buffered | Asynchronous, Field(discriminator="kind")]


class Training(Section):
    """How long and how each device trains."""

    rounds: Positive = Field(10, description="Number of rounds.")
    local_steps: Positive = Field(4, description="Optimiser steps per device and round.")
    batch_size: Positive = Field(8, description="Examples per local step.")
    dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Probability of dropout of attention probabilities and hidden states in local training; "
        "evaluation has none. lora_dropout is left out.",
    )
    optimiser: Optimiser = Field(Optimiser(), description="Learning rates and weight decay of local training.")
    participants: Positive | Literal["all"] = Field("all", description="Devices per round, drawn anew each round.")
    schedule: RoundSchedule = Field(
        Synchronous(kind="synchronous"), description="When the server aggregates, and when devices start again."
    )
    policy: Policy = Field(Policy(), description="When a round ends before its last device; synchronous only.")
    stop: Stop = Field(Stop(), description="When the run ends before its last round.")

    @model_validator(mode="after")
    def _selected(self) -> "Training":
        if self.participants == "all" and self.policy.over_selection > 1:
            raise ValueError("policy.over_selection needs a number of participants, not all")
        if self.policy != Policy() and not isinstance(self.schedule, Synchronous):
            raise ValueError("policy: given one; allowed: none unless schedule.kind is synchronous")
        return self


class Runtime(Section):
    """How the emulation is spread over the Ray cluster; none of it changes a result."""

    hosts: Positive | Literal["auto"] = Field("auto", description="Host actors; auto: one per free CPU slot.")
    devices_per_host: Positive | Literal["auto"] = Field(
        "auto", description="Devices a host carries; auto: by the number of hosts; 1: one actor per device."
    )
    cpus_per_host: Annotated[float, Field(ge=0, le=LARGEST)] | Literal["auto"] = Field(
        "auto", description="CPUs Ray reserves for a host; auto: one, or an equal share when hosts outnumber CPUs."
    )
    gpus_per_host: Annotated[float, Field(ge=0, le=LARGEST)] | Literal["auto"] = Field(
        0.0,
        description="GPUs Ray reserves for a host; with any, training is on CUDA; auto: the cluster's, in equal parts.",
    )
    clock: Literal["virtual", "wall"] = Field(
        "virtual",
        description="virtual: training is real, time is computed; wall: every device is a process that is held to it.",
    )
    dilation: Annotated[float, Field(ge=1e-6, le=1e6)] | Literal["auto"] = Field(
        "auto",
        description="wall: seconds on the wall per emulated second; auto: 1, or more if the devices ask more of the "
        "machine than it can do.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> "Runtime":
        if self.hosts != "auto" and self.devices_per_host != "auto":
            raise ValueError("give hosts or devices_per_host, not both")
        if self.clock == "virtual" and self.dilation != "auto":
            raise ValueError(f"dilation: given {self.dilation:g}; allowed: auto unless clock is wall")
        return self


class Telemetry(Section):
    """What others can watch."""

    prometheus_port: Annotated[int, Field(ge=0, le=65535)] | None = Field(
        None, description="Port of the metrics served during the run; 0: any free one; null: none are served."
    )
    prometheus_bind: str = Field("127.0.0.1", description="Address to serve metrics on.")
    device_series: Annotated[int, Field(ge=0, le=LARGEST)] = Field(
        1000, description="Largest fleet whose devices have series of their own; above it there are those by profile."
    )
