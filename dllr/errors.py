"""Every error a user can mend. A message says what was found, what was expected and what to do."""


class DllrError(Exception):
    """Root of the errors below; the command line prints its message without a traceback."""


class ParamsError(DllrError):
    """params.yaml holds an unknown key, a value out of range, or sections that disagree."""


class SceneError(DllrError):
    """A scene folder, or a file in it, cannot be taken as it is."""


class SplitError(DllrError):
    """The scenes do not allow the split or the labelled budget that was asked for."""


class TransportError(DllrError):
    """A transport problem is ill-posed, or its solver did not converge."""


class TrainingError(DllrError):
    """Training cannot start or cannot go on."""


class TrackingError(DllrError):
    """The MLflow store cannot be written to."""


class StudyError(DllrError):
    """A study's description, or one of its cells, cannot be run."""


class ExportError(DllrError):
    """A trained network cannot be written in another form."""
