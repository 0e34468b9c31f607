"""A small server for a first look at a run: TensorFlow Serving's REST interface, and a page."""

from tf_recdenoiser.serve.app import create_app
from tf_recdenoiser.serve.server import address_of, listen, server_of

__all__ = ["address_of", "create_app", "listen", "server_of"]
