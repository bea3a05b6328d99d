"""What a person sees in a terminal: progress of runs and sweeps, tables of plans, comparisons and catalogues."""

from fedray.display.catalogue import profile_page, profile_table
from fedray.display.comparison import comparison_table, difference_warning
from fedray.display.data import data_tables
from fedray.display.fidelity import fidelity_tables, speed_table
from fedray.display.plan import plan_tables
from fedray.display.run import RunDisplay, summary_table
from fedray.display.sweep import SweepDisplay
from fedray.display.words import word_table

__all__ = [
    "RunDisplay",
    "SweepDisplay",
    "comparison_table",
    "data_tables",
    "difference_warning",
    "fidelity_tables",
    "plan_tables",
    "profile_page",
    "profile_table",
    "speed_table",
    "summary_table",
    "word_table",
]
