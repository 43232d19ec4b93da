"""Ranks a large catalogue for many users with exclusions and prints time and peak memory: a process of its own."""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from scipy import sparse

from tfrec.evaluation.topk import top_k

ITEMS, USERS, WIDTH, K, EXCLUDED = 1_000_000, 100_000, 64, 10, 20
SHARE = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--share", type=float, default=SHARE, help="of the users who are ranked")
    given = parser.parse_args()
    random = np.random.default_rng(0)
    items = random.standard_normal((given.items, given.width), np.float32)
    queries = random.standard_normal((given.users, given.width), np.float32)
    columns = random.integers(0, given.items, given.users * EXCLUDED, np.int32)
    starts = np.arange(0, len(columns) + 1, EXCLUDED)
    exclude = sparse.csr_matrix((np.ones(len(columns), np.float32), columns, starts), (given.users, given.items))
    # As large as the result of all users.
    result = np.zeros((given.users, K), np.int32), np.zeros((given.users, K), np.float32)
    ranked = max(1, int(given.share * given.users))
    inputs = peak_bytes()
    started = time.perf_counter()
    found = top_k(queries[:ranked], items, K, exclude=exclude[:ranked])
    seconds = time.perf_counter() - started
    result[0][:ranked], result[1][:ranked] = found
    print(
        json.dumps(
            {
                "items": given.items,
                "users": given.users,
                "width": given.width,
                "k": K,
                "excluded": EXCLUDED,
                "share": given.share,
                "ranked": ranked,
                "seconds": seconds,
                "input_bytes": inputs,
                "peak_bytes": peak_bytes(),
                "positions": int(result[0][:ranked].astype(np.int64).sum()),
            }
        )
    )


def peak_bytes() -> int:
    """The largest resident size of this program so far.

    Linux's own record of it: getrusage's also counts the process that started this one.
    """
    with open("/proc/self/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["VmHWM"].split()[0]) * 1024


if __name__ == "__main__":
    main()
