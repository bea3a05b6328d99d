"""What all sections of a scenario share; links and availability, below the scenario, use the same."""

from fedray.sections import LARGEST, Chance, Positive, Section, Share, Words

__all__ = ["LARGEST", "Chance", "Positive", "Section", "Share", "Words"]
