"""How good the recommendations are: exact top-k, metrics, baselines, protocol, gates and report; no TensorFlow."""
