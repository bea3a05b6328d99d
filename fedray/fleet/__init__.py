"""Who the devices are: catalogue, power modes, links; builds the fleet of a scenario."""

from fedray.fleet.battery import FleetState
from fedray.fleet.catalogue import Catalogue, Family, Mode, Profile, load_catalogue
from fedray.fleet.fleet import Conditions, Device, Fleet, build_fleet

__all__ = [
    "Catalogue",
    "Conditions",
    "Device",
    "Family",
    "Fleet",
    "FleetState",
    "Mode",
    "Profile",
    "build_fleet",
    "load_catalogue",
]
