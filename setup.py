"""Packaging: `pipelines/` and `serving/` are installed as `tfrec.pipelines` and `tfrec.serving`."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+?)"', (HERE / "tfrec/__init__.py").read_text()).group(1)


def packages_below(folder: str, name: str) -> dict[str, str]:
    """Map the packages in `folder` to their installed names below `name`."""
    below = {f"{name}.{package}": f"{folder}/{package.replace('.', '/')}" for package in find_packages(folder)}
    return {name: folder, **below}


PACKAGES = {
    **packages_below("tfrec", "tfrec"),
    **packages_below("pipelines", "tfrec.pipelines"),
    **packages_below("serving", "tfrec.serving"),
}

setup(
    name="tfrec",
    version=VERSION,
    description="Multimodal recommendations and search on TensorFlow, served by TensorFlow Serving",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=list(PACKAGES),
    package_dir=PACKAGES,
    package_data={
        "tfrec.evaluation": ["templates/*"],
        "tfrec.serving": ["examples/*"],
        "tfrec.serving.deploy": ["templates/**/*"],
    },
    install_requires=[
        "tensorflow>=2.16,<2.22",
        "tf-keras>=2.16,<2.22",
        "tensorflow-text>=2.16,<2.22",
        "tensorflow-hub>=0.16.1",
        "tensorflow-recommenders>=0.7.7",
        "keras-tuner>=1.4.7",  # the search algorithms of `tfrec tune`
        "tensorboard>=2.16",  # TensorFlow 2.21 no longer brings it, and writes no summaries without it
        "setuptools<81",  # tensorflow-hub imports pkg_resources
        "numpy>=1.26",
        "scipy>=1.12",
        "threadpoolctl>=3.1",
        "pandas>=1.5",
        "pyarrow>=10",
        "pillow>=10",
        "soundfile>=0.12",
        "soxr>=0.3",
        "safetensors>=0.4",
        "packaging>=23",  # `tfrec doctor` reads this list with it
        "pyyaml>=6",
        "tqdm>=4.66",
        "rich>=13",
        "matplotlib>=3.8",
        "jinja2>=3.1",
        "grpcio>=1.60",
        "grpcio-reflection>=1.48",
        "protobuf>=3.20.3",
        "tensorflow-serving-api>=2.16",
    ],
    extras_require={
        "pipelines": ["tfx[kfp]==1.16.0"],
    },
    entry_points={"console_scripts": ["tfrec=tfrec.cli.main:main"]},
)
