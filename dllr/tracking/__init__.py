"""MLflow as a view of what came out: numbers live in files first, losing MLflow loses nothing.

What a run is (`identity`), what it shows (`view`, its numbers by `metrics`), where it is kept
(`store`), and when it is posted: while a stage trains (`live`), after the last stage, or by hand
(`post`). Importing this package is cheap; MLflow and DVC, which take seconds, are imported where
they are needed.

The store is `mlflow.db` in the project's root with its files in `mlartifacts/`, unless
`MLFLOW_TRACKING_URI` names another; the experiment is the data set's, unless `MLFLOW_EXPERIMENT_NAME` names
another. `DLLR_TRACK=0` turns off what is posted while stages run.
"""

from pathlib import Path

from dllr.tracking.live import post_when_done, watch

__all__ = ["post_when_done", "track", "watch"]


def track(root: Path, until: str | None = None, register: str | None = None) -> str:
    """Post whatever is missing in MLflow about the project in `root`; a line that says how much.

    Args:
        until: the stage with which all is made that is to be made; None: the last.
        register: name in MLflow's registry that the run's model shall be a version of; None: of none.

    Raises:
        TrackingError: the pipeline cannot be read, the store cannot be written, or there is no model that
            could be registered.
    """
    from dllr.tracking.post import post

    return post(root, until=until, register=register)
