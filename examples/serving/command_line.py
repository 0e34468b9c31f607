"""The command line that both clients have."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from columns import UNSAID, parse_ids


def run(
    client: Any, server: str, description: str | None, arguments: Sequence[str] | None = None
) -> None:
    """Ask about one history, and print a line for each item.

    Parameters
    ----------
    client
        The class of the client.
    server
        Where it looks for the server.
    description
        What the command does.
    arguments
        The command's; None (default) for those it was called with.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="the model's name")
    parser.add_argument("--history", default="", help="raw ids, oldest first: ID,ID or a JSON list")
    parser.add_argument(
        "--times", help="when each was interacted with, if the model reads it: 0,60,120"
    )
    parser.add_argument("--user", help="the user's raw id, if the model knows users")
    parser.add_argument(
        "--disliked", default="", help="items of the history that the user disliked, if it is read"
    )
    parser.add_argument("--liked", default="", help="items of the history that the user liked")
    parser.add_argument("-k", type=int, default=10, help="how many items")
    parser.add_argument(
        "--explain",
        action="store_true",
        help="how much of each item was kept, and its probability of noise or dislike",
    )
    parser.add_argument("--length", type=int, help="columns to send, for a server that batches")
    parser.add_argument("--server", default=server)
    asked = parser.parse_args(arguments)
    try:
        for item, *parts in _answer(client(asked.model, asked.server, asked.length), asked):
            told = [
                part if isinstance(part, str) else format(part, ".3f")
                for part in parts
                if part is not None
            ]
            print(item, *(told or ["unknown"]), sep="\t")
    except (ConnectionError, ValueError) as error:
        raise SystemExit(str(error)) from error


def _said(history: Sequence[Any], asked: argparse.Namespace, dtype: str) -> list[float]:
    """What is said of each item: 1 for disliked, 0 for liked, else nothing."""
    said = dict.fromkeys(parse_ids(asked.liked, dtype), 0.0)
    said |= dict.fromkeys(parse_ids(asked.disliked, dtype), 1.0)
    if others := said.keys() - set(history):
        raise ValueError(
            "--disliked and --liked must name items of the history. "
            f"Received: {', '.join(map(str, sorted(others)))}"
        )
    return [said.get(item, UNSAID) for item in history]


def _answer(client: Any, asked: argparse.Namespace) -> Sequence[tuple[Any, ...]]:
    dtypes = client.dtypes["serving_default"]
    histories = [parse_ids(asked.history, dtypes["histories"])]
    further: dict[str, Any] = {}
    if asked.times is not None:
        further["times"] = [[float(time) for time in asked.times.split(",")]]
    if asked.user is not None:
        is_number = dtypes.get("users") == "DT_INT64"
        further["users"] = [int(asked.user) if is_number else asked.user]
    if asked.disliked or asked.liked:
        further["disliked"] = [_said(histories[0], asked, dtypes["histories"])]
    if asked.explain:
        return client.explain(histories, **further)[0]
    return client.recommend(histories, k=asked.k, **further)[0]
