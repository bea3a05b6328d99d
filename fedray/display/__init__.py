"""What a person sees in a terminal: progress of runs and sweeps, tables of plans, comparisons and catalogues."""

from fedray.display.catalogue import profile_page, profile_table
from fedray.display.comparison import comparison_displays
from fedray.display.data import data_tables
from fedray.display.fidelity import fidelity_tables, speed_table
from fedray.display.plan import plan_tables
from fedray.display.run import RunDisplay, RunPrinter, summary_table
from fedray.display.sweep import SweepDisplay, SweepPrinter
from fedray.display.tables import word_table
from fedray.display.tuning import TuningDisplay, tuning_notes, tuning_tables

__all__ = [
    "RunDisplay",
    "RunPrinter",
    "SweepDisplay",
    "SweepPrinter",
    "TuningDisplay",
    "comparison_displays",
    "data_tables",
    "fidelity_tables",
    "plan_tables",
    "profile_page",
    "profile_table",
    "speed_table",
    "summary_table",
    "tuning_notes",
    "tuning_tables",
    "word_table",
]
