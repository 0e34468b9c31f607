"""Self-attentive recommenders that ignore the noise in interaction logs.

An implementation of *Denoising Self-Attentive Sequential Recommendation* (Chen et al.,
RecSys 2022, arXiv 2212.04120) for TensorFlow and Keras: trainable binary masks on attention,
unbiased gradient estimators for them, and a Jacobian penalty on Transformer blocks.

The parts are imported from where they live: `tf_recdenoiser.layers`, `.estimators`,
`.backbones`, `.training`, `.evaluation`, `.data`, `.retrieval`.
"""

__version__ = "0.1.0"
