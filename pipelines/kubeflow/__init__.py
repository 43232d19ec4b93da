"""The pipeline on Kubeflow Pipelines: compiled to one file, submitted to an endpoint, and what a container runs.

`definition` gives the file, `platform` its part for Kubernetes, `submission` sends it, `entry` runs one component in a
pod.
"""
