import subprocess
import sys


def test_evaluation_needs_no_tensorflow():
    modules = "metrics, topk, baselines, tasks, protocol, gates, report, console"
    program = f"import sys; from tfrec.evaluation import {modules}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=120).returncode == 0
