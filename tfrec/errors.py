"""The errors a user is meant to read: one sentence that says what was expected, what came and what to do."""


class TfrecError(Exception):
    """Base of every error whose message is meant for the user; the command line prints it and exits with status 2."""


class ConfigError(TfrecError):
    """The configuration file or a setting in it is wrong."""


class DataError(TfrecError):
    """The catalogue, the users or the events cannot be used as they are."""


class ServableError(TfrecError):
    """An exported model is missing, broken or would not run on the serving image."""


class ServerError(TfrecError):
    """The server is unreachable or answered with an error."""


class TrainingError(TfrecError):
    """Training cannot go on, for instance because the disk is full."""


class Diverged(TrainingError):
    """The loss became a number that is not finite; other settings may do."""


class Preempted(TrainingError):
    """Training was told to end by SIGTERM and has saved its state; the command line exits with status 143."""
