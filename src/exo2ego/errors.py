"""Everything that can go wrong for a user, as one tree.

    Exo2EgoError                     shown as one line, exit code 2
    ├── InputError                   a file or value the user gave
    │   ├── MissingFileError         it is not there
    │   ├── FormatError              it is there but is not what it should be (file, row, field, value)
    │   │   └── NoQuestionsError     a benchmark's list of questions without any
    │   ├── VideoError               it cannot be decoded as asked
    │   └── LeakageError             a test item would be trained on
    ├── OutputError                  the disk is full, read-only, or holds something else
    ├── ChecksumError                bytes differ from the manifest
    ├── CheckpointError              a checkpoint does not belong to this recipe
    ├── DivergedError                the loss became NaN or exploded
    ├── OutageError              a server gives no answer for now
    └── EnvironmentUnfitError        this machine lacks something (renderer, decoder, ...)

Messages name what was found, where, and what to do; they fit one line.
"""


class Exo2EgoError(Exception):
    """Base of all errors meant for the user."""


class InputError(Exo2EgoError):
    """A file or a value given by the user cannot be used."""


class MissingFileError(InputError):
    """A file or folder that is needed is not there."""


class FormatError(InputError):
    """A file is there but its content is not what it should be; names file, row, field and value."""


class NoQuestionsError(FormatError):
    """A benchmark's file is a list of questions without any: a simulated world can be too small for a task."""


class VideoError(InputError):
    """A video cannot be decoded as asked."""


class LeakageError(InputError):
    """An item of a held-out split would be trained on."""


class OutputError(Exo2EgoError):
    """Output cannot be written, or the place already holds something else."""


class ChecksumError(Exo2EgoError):
    """Bytes on disk differ from what the manifest says."""


class CheckpointError(Exo2EgoError):
    """A checkpoint is incomplete or belongs to another recipe."""


class DivergedError(Exo2EgoError):
    """Training stopped because the loss became NaN or exploded."""


class EnvironmentUnfitError(Exo2EgoError):
    """This machine lacks something that the command needs."""


class OutageError(Exo2EgoError):
    """A server gave no usable answer; what was asked is unscored and can be asked again."""
