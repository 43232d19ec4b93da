"""`python -m tfrec.serving.server` with the flags of tensorflow_model_server."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from tfrec.serving.server.flags import options_from_flags
from tfrec.serving.server.process import serve_until_stopped


def main(arguments: Sequence[str]) -> int:
    """Serve as the flags say until SIGTERM or SIGINT; the exit status."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return serve_until_stopped(options_from_flags(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
