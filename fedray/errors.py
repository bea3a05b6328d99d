"""Errors a user can cause or must be told about; everything else is a bug and keeps its traceback."""


class UserError(Exception):
    """The user's input is wrong: one plain message, exit code 2, nothing written."""


class RunFailedError(Exception):
    """A run could not go on: one plain message that says what is kept and what to do, exit code 1."""


class RunInterruptedError(Exception):
    """The user stopped a run: one plain message that says what is kept, exit code 130."""
