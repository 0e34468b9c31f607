"""What a client asks of a served recommender, whichever way its requests go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from columns import Explained, Histories, explained, recommended, request_columns


class Client(ABC):
    """One model of a server.

    Attributes
    ----------
    dtypes
        By signature, the inputs and the names of their types.
    length
        How many columns histories are sent in; see `request_columns`.
    """

    dtypes: dict[str, dict[str, str]]
    length: int | None

    @abstractmethod
    def predict(self, signature: str, inputs: Mapping[str, list[Any]]) -> dict[str, Any]:
        """Call a signature, and return its outputs as lists.

        Raises
        ------
        ConnectionError
            If there is no server.
        ValueError
            If it refuses the request; the message is the server's.
        """

    def recommend(
        self, histories: Histories, k: int = 10, exclude_seen: bool = True, **further: Any
    ) -> list[list[Any]]:
        """The k best items after each history, as `(item, score)`; `further` as the model reads.

        If the model was exported with titles, as `(item, score, title)`.
        A k above the most that the model gives is taken for that, and one below 1 for 1.
        """
        values = {"k": k, "exclude_seen": exclude_seen, **further}
        dtypes = self.dtypes["serving_default"]
        inputs = request_columns(dtypes, histories, self.length, **values)
        answer = self.predict("serving_default", inputs)
        return recommended(answer["item_ids"], answer["scores"], answer.get("titles"))

    def explain(self, histories: Histories, **further: Any) -> list[list[Explained]]:
        """How much of each item was kept, and how probably it is noise."""
        inputs = request_columns(self.dtypes["explain"], histories, self.length, **further)
        return explained(histories, self.predict("explain", inputs), self.length)
