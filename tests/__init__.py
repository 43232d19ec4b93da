"""The tests; a regular package, because some installed packages bring one of this name that would win otherwise."""
