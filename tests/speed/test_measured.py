from tfrec.speed.measured import Measurement, Stopwatch, Table, page, spread, told


def test_a_spread_is_told_by_median_and_extremes():
    values = spread([3.0, 1.0, 2.5])
    assert values == {"min": 1.0, "median": 2.5, "max": 3.0}
    assert told(values) == "2.5 (1.0 to 3.0)"


def test_a_stopwatch_keeps_the_parts_of_a_run_apart():
    watch = Stopwatch()
    sum(range(200_000))
    watch.lap()
    watch.lap()
    assert len(watch.wall) == len(watch.cpu) == 2
    assert watch.wall[0] > watch.wall[1] >= 0 and watch.cpu[0] > watch.cpu[1] >= 0


def test_a_page_has_the_command_all_tables_and_the_machine():
    measurement = Measurement(
        "Speed: walking", "On foot.", (Table("Uphill", [["", "km/h"], ["us", "4"]], "Slow."),), {}
    )
    machine = {
        "cores": 2,
        "architecture": "x86_64",
        "python": "3.10",
        "packages": {"numpy": "1.26"},
        "load": [0.1, 7.25],
    }
    shown = page(measurement, "walk --up", machine)
    for part in (
        "# Speed: walking",
        "walk --up",
        "On foot.",
        "## Uphill",
        "| us | 4 |",
        "Slow.",
        "2 cores",
        "numpy 1.26",
    ):
        assert part in shown
