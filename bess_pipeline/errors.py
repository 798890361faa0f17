"""The errors a user may meet, each with one sentence that says what is wrong, where, and what to do.

What belongs here: exception types shared by all layers. What does not: messages of one layer
(they stand where they are raised) and exit codes of the command line (`cli.py`).
"""

from __future__ import annotations


class BessError(Exception):
    """Base of every error a user can mend; its text is one clear sentence."""


class UserInputError(BessError):
    """A setting, file, date or argument given by the user cannot be used as it is."""


class SourceError(BessError):
    """A data provider could not be read: nothing it said has replaced good data."""


class NotPublishedError(SourceError):
    """The provider answered, and has not (yet) published what was asked for."""


class SourceUnreachableError(SourceError):
    """No connection to a provider came about: it saw no request."""


class SourceCoolingError(SourceError):
    """A provider that kept failing is left alone until its cool-down ends: no request was made."""


class PayloadError(SourceError):
    """An answer is not in the form the provider documents; it was kept raw and not used."""


class RefusedFrameError(BessError):
    """A frame broke its table's schema; it went to quarantine and the old partition stays."""


class OriginError(BessError):
    """Data of one origin or day-ahead source was aimed at a workspace of another."""


class SolverError(BessError):
    """An optimisation ended without an optimal, re-checked schedule."""


class ScenarioError(BessError):
    """No scenarios can be made of a forecast, or fewer of a set, as asked."""


class ContractBreachError(BessError):
    """A plan cannot keep a rule of a service it would be contracted for; nothing of it is offered."""
