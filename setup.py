"""Package metadata of tf_recdenoiser; the tools' settings are in ``pyproject.toml``."""

from __future__ import annotations

import ast
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent


def read_version() -> str:
    """Return ``__version__`` of the package, read as text: importing it would need TensorFlow."""
    tree = ast.parse((ROOT / "tf_recdenoiser" / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id="__version__")], value=ast.Constant(value=str(version))
            ):
                return version
    raise ValueError(
        "tf_recdenoiser/__init__.py must hold a line such as __version__ = '0.1.0'. "
        "Received: no assignment of a string to __version__."
    )


setup(
    name="tf_recdenoiser",
    version=read_version(),
    description="Rec-Denoiser for Keras: self-attentive recommenders that learn to ignore noise",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The tf_recdenoiser authors",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords="recommender-systems sequential-recommendation denoising attention keras tensorflow",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    packages=find_packages(include=["tf_recdenoiser", "tf_recdenoiser.*"]),
    package_data={"tf_recdenoiser": ["py.typed", "serve/page/*", "reports/templates/*"]},
    python_requires=">=3.10,<3.14",
    install_requires=[
        "filelock>=4.1",
        "h5py>=3.11",
        "jinja2>=3.1",
        "keras-tuner>=1.4.8",
        "markupsafe>=2.1",
        "matplotlib>=3.9",
        "numpy>=2.0",
        "polars>=2.0",
        "rich>=13.8",
        "scipy>=1.15",
        "starlette>=1.0",
        "tensorflow>=2.21,<3",
        "tensorflow-recommenders>=0.7.7",
        "tensorflow-serving-api>=2.21,<3",
        "tf-keras>=2.21,<3",
        "tomlkit>=0.13",
        "typer>=0.29",
        "uvicorn>=0.40",
    ],
    extras_require={
        # It wants protobuf below 7, and TensorFlow has nothing against that.
        "beam": ["apache-beam>=2.70"],
        "bayesian": ["scikit-learn>=1.5"],
        "docs": [
            "mkdocs>=1.6",
            "mkdocs-material>=9.7",
            "mkdocstrings-python>=2.0",
            # The newest mkdocstrings for Python 3.10 does not work with later ones.
            'pymdown-extensions<12 ; python_version < "3.11"',
            "ruff>=0.9",
        ],
        # 1.4.2, the newest when this was written, is made for TensorFlow 2.20. Where it lies beside
        # 2.21, TensorFlow Recommenders cannot be imported.
        "scann": ["scann>1.4.2"],
        "tensorboard": ["tensorboard>=2.20"],
        "zstd": ["zstandard>=0.22"],
        "test": [
            "hypothesis>=6.100",
            "keras-hub>=0.25",
            "mypy>=1.15",
            "pytest>=8.3",
            "pytest-xdist>=3.6",
            "ruff>=0.9",
            "tensorboard>=2.20",
        ],
    },
    entry_points={"console_scripts": ["tf-recdenoiser = tf_recdenoiser.cli:main"]},
)
