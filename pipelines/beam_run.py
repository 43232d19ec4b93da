"""Runs a Beam pipeline of ours, and turns what a worker raised back into the error it was."""

from __future__ import annotations

import re

import apache_beam as beam
from apache_beam.runners.runner import PipelineResult

from tfrec import errors

_WHERE = r"(?: \[while running .*)?$"
"""What Beam adds to the message of an error."""
_RAISED = re.compile(r"^tfrec\.errors\.(\w+): (.+?)" + _WHERE, re.MULTILINE)
"""The last line of a worker's traceback; a runner gives that as text, often with more around it."""


def run_beam(pipeline: beam.Pipeline) -> PipelineResult:
    """Run the pipeline to its end.

    Raises:
        TfrecError: of the kind that a worker raised; a runner itself may have tried again before.
    """
    try:
        result = pipeline.run()
        result.wait_until_finish()
    except errors.TfrecError as error:
        raise type(error)(re.sub(_WHERE, "", str(error))) from error
    except Exception as error:
        told = _RAISED.findall(str(error))
        if not told:
            raise
        kind, sentence = told[-1]
        raise getattr(errors, kind)(sentence) from error
    return result


def counted(result: PipelineResult, name: str) -> int:
    """The sum of the counters of that name, as far as the runner tells."""
    counters = result.metrics().query(beam.metrics.MetricsFilter().with_name(name))["counters"]
    return sum(counter.result for counter in counters)
