"""Carrying out a round: chunks of assignments, the hosts that train them, and what comes back."""
