"""The fleet of a run: who the devices are, and what is true of each in a given round."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from math import inf
from pathlib import Path

import numpy as np

from fedray.arrays import Floats, Ints
from fedray.environment.links import LinkDirection, Links
from fedray.environment.members import Members
from fedray.environment.windows import OnlineWindows
from fedray.fleet.battery import Batteries, FleetState
from fedray.fleet.catalogue import Profile, load_catalogue
from fedray.fleet.faults import RoundFaults, round_faults
from fedray.scenario import LoadedScenario
from fedray.scenario.schema import DefaultMode, DeviceGroup, Faults, FixedMode
from fedray.scenario.source import Key, Source, did_you_mean
from fedray.sections import Section, SectionError
from fedray.seeds import Purpose, generator


@dataclass(frozen=True)
class Device:
    """One emulated board; `id` is its place in the fleet, from 0."""

    id: int
    profile: Profile


@dataclass(frozen=True)
class Conditions:
    """The truth of one round, each column of shape (devices,): for the emulator's eyes, never for a method's."""

    flops_per_second: Floats
    bytes_per_second: Floats
    launch_seconds: Floats
    idle_watts: Floats
    compute_watts: Floats  # in all, idle included
    radio_watts: Floats  # beside the idle ones
    down: LinkDirection
    up: LinkDirection
    cells: Ints  # of devices that share their air; -1: a link of its own
    memory_bytes: Floats
    round_faults: RoundFaults

    @staticmethod
    def concatenate(parts: "Sequence[Conditions]") -> "Conditions":
        firsts = np.cumsum([0, *(1 + part.cells.max(initial=-1) for part in parts[:-1])])
        cells = [np.where(part.cells < 0, -1, part.cells + first) for part, first in zip(parts, firsts, strict=True)]
        columns = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Conditions)
            if field.name not in ("down", "up", "cells", "round_faults")
        }
        return Conditions(
            down=LinkDirection.concatenate([part.down for part in parts]),
            up=LinkDirection.concatenate([part.up for part in parts]),
            cells=np.concatenate(cells),
            round_faults=RoundFaults.concatenate([part.round_faults for part in parts]),
            **columns,
        )


@dataclass(frozen=True)
class _Group:
    profile: Profile
    spec: DeviceGroup
    links: Links
    faults: Faults
    index: int

    def modes(self, seed: int, round_: int) -> list[str]:
        policy, names = self.spec.modes, list(self.profile.modes)
        if isinstance(policy, FixedMode):
            return [policy.mode] * self.spec.count
        if isinstance(policy, DefaultMode):
            return [self.profile.default_mode] * self.spec.count
        epoch = (round_ - 1) // policy.redraw_every
        drawn = generator(seed, Purpose.MODE, epoch, self.index).integers(len(names), size=self.spec.count)
        return [names[index] for index in drawn]

    def conditions(self, seed: int, round_: int) -> Conditions:
        profile, count = self.profile, self.spec.count
        modes = self.modes(seed, round_)
        down, up = self.links.directions(round_)
        return Conditions(
            flops_per_second=np.array([profile.flops_per_second(mode) for mode in modes]),
            bytes_per_second=np.array([profile.bytes_per_second(mode) for mode in modes]),
            launch_seconds=np.full(count, profile.launch_seconds),
            idle_watts=np.full(count, profile.board.idle_watts),
            compute_watts=np.array([profile.modes[mode].watts for mode in modes]),
            radio_watts=np.full(count, profile.board.radio_watts),
            down=down,
            up=up,
            cells=self.links.cells,
            memory_bytes=np.full(count, float(profile.training_memory_bytes)),
            round_faults=round_faults(self.faults, seed, self.index, count, round_),
        )


@dataclass(frozen=True)
class Fleet:
    """All devices of a run; everything about a round follows from the seed."""

    devices: tuple[Device, ...]
    seed: int
    groups: tuple[_Group, ...]
    presence: tuple[OnlineWindows, ...]  # of every device
    batteries: Batteries

    def __len__(self) -> int:
        return len(self.devices)

    @property
    def recorded(self) -> list[tuple[str, str]]:
        """Name and SHA-256 of every trace that a device follows, and of who is online when: files may change."""
        windows = hashlib.sha256(b"|".join(one.starts.tobytes() + one.ends.tobytes() for one in self.presence))
        return [*(trace for group in self.groups for trace in group.links.recorded), ("presence", windows.hexdigest())]

    def conditions(self, round_: int) -> Conditions:
        """What is true of every device in a round (rounds count from 1)."""
        return Conditions.concatenate([group.conditions(self.seed, round_) for group in self.groups])

    def modes(self, round_: int) -> tuple[str, ...]:
        """Every device's power mode in a round."""
        return tuple(mode for group in self.groups for mode in group.modes(self.seed, round_))

    def first_state(self) -> FleetState:
        """The world before the first round."""
        return FleetState(0.0, self.batteries.start)

    def next_start(self, fleet_state: FleetState, eligible: Ints) -> FleetState | None:
        """When a round can begin: as soon as one of these devices is online and charged; None if none ever is."""
        charged = [self.batteries.ready(fleet_state, device) for device in eligible.tolist()]
        times = [
            self.presence[device].next_online(at) if at < inf else inf
            for device, at in zip(eligible.tolist(), charged, strict=True)
        ]
        first = min(times, default=inf)
        return self.batteries.charged(fleet_state, first) if first < inf else None

    def available(self, fleet_state: FleetState, devices: Ints) -> Ints:
        """Those of some devices that are online and have their reserve."""
        charged = self.batteries.has_reserve(fleet_state, devices)
        online = [
            self.presence[device].online_until(fleet_state.seconds) > fleet_state.seconds for device in devices.tolist()
        ]
        return devices[charged & np.array(online, np.bool_)]

    def online_until(self, at: float, devices: Ints) -> Floats:
        """When some devices, online at a time, go offline."""
        return np.array([self.presence[device].online_until(at) for device in devices])

    def participants(self, round_: int, count: int, eligible: Ints) -> Ints:
        """The ids, ascending, of `count` eligible devices drawn without replacement for a round."""
        if count >= len(eligible):
            return eligible
        if count <= 0:
            return eligible[:0]
        order = generator(self.seed, Purpose.PARTICIPANTS, round_).permutation(len(self))
        return np.sort(order[np.isin(order, eligible)][:count])

    def declared_flops_per_second(self) -> Floats:
        """What a server assumes before measuring: each board in its default mode, (devices,)."""
        return np.array([d.profile.flops_per_second(d.profile.default_mode) for d in self.devices])

    def declared_mbps(self) -> Floats:
        """What a server assumes of the links before measuring, (devices,)."""
        return np.concatenate([np.full(group.spec.count, group.links.declared_mbps) for group in self.groups])

    def memory_bytes(self) -> Floats:
        """Declared training memory, (devices,)."""
        return np.array([float(d.profile.training_memory_bytes) for d in self.devices])


def build_fleet(loaded: LoadedScenario) -> Fleet:
    """The fleet of a scenario; ScenarioError for a profile or mode the catalogue does not know."""
    scenario, source = loaded.scenario, loaded.source
    extra = scenario.fleet.catalogue
    if extra is not None and not Path(extra).is_dir():
        raise source.error(("fleet", "catalogue"), extra, "an existing folder")
    catalogue = load_catalogue(Path(extra) if extra else None)
    groups: list[_Group] = []
    presence: list[OnlineWindows] = []
    devices: list[Device] = []
    for index, spec in enumerate(scenario.fleet.groups):
        key = ("fleet", "groups", index)
        profile = catalogue.profile(spec.profile, source, (*key, "profile"))
        if isinstance(spec.modes, FixedMode) and spec.modes.mode not in profile.modes:
            hint = did_you_mean(spec.modes.mode, profile.modes)
            raise source.error((*key, "modes", "mode"), spec.modes.mode, " | ".join(profile.modes) + hint)
        members = Members(scenario.seed, index, spec.count)
        link, availability = spec.link or scenario.fleet.link, spec.availability or scenario.fleet.availability
        with _placed(source, (*key, "link") if spec.link else ("fleet", "link"), link):
            links = link.open(members)
        with _placed(source, (*key, "availability") if spec.availability else ("fleet", "availability"), availability):
            presence += availability.windows(members)
        groups.append(_Group(profile, spec, links, spec.faults or scenario.fleet.faults, index))
        devices += [Device(len(devices) + offset, profile) for offset in range(spec.count)]
    batteries = Batteries.of(
        [(group.battery or scenario.fleet.battery, group.count) for group in scenario.fleet.groups]
    )
    return Fleet(tuple(devices), scenario.seed, tuple(groups), tuple(presence), batteries)


@contextmanager
def _placed(source: Source, key: Key, section: Section) -> Iterator[None]:
    """Give a SectionError of a section the place where it was written."""
    try:
        yield
    except SectionError as error:
        raise source.error((*key, error.key), getattr(section, error.key), error.allowed) from None
