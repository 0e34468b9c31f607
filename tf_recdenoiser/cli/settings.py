"""`tf-recdenoiser settings`."""

from __future__ import annotations

import typer

from tf_recdenoiser.cli.console import output
from tf_recdenoiser.cli.options import settings_of, with_settings
from tf_recdenoiser.runs import as_toml


@with_settings(presets=True)
def settings(context: typer.Context) -> None:
    """Print every setting as a TOML file, to be changed and handed to `train --config`.

    Which settings there are depends on the names in it: `settings log.csv --gates relative` shows
    those of gates, too. What has no value yet, as a column's name, is left out.
    """
    output.print(as_toml(settings_of(context)), highlight=False, soft_wrap=True, end="")
