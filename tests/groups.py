"""Which tests one process runs when several run them: those of a file, and those that share what is slow to make."""

import pytest

# Session fixtures that are slow to make, each made in one process only.
SHARED = ("trained", "shop")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Mark each test with its group, and let the groups with slow tests be the first."""
    groups = {}
    for item in items:
        shared = [name for name in SHARED if name in item.fixturenames]
        group = "".join(shared) or item.path.stem
        if shared[:1] == ["shop"] or not shared:
            group = f"{item.path.parent.name} {group}"
        item.add_marker(pytest.mark.xdist_group(group))
        groups.setdefault(group, []).append(item)
    if config.getoption("loadgroup", False):
        slow = {group: sum("slow" in item.keywords for item in members) for group, members in groups.items()}
        items[:] = [item for group in sorted(groups, key=lambda group: -slow[group]) for item in groups[group]]
