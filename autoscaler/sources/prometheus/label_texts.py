"""Label sets as the server wrote them, read only where somebody asks what they say.

A fleet answers every query with the same thousands of label sets, and to read them again each time
would be most of the work of an answer.  Whoever knows a text already need not read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeGuard, overload

import orjson

LabelSets = Sequence[Mapping[str, str]]


class LabelTexts(Sequence[Mapping[str, str]]):
    """Label sets, of which each text is a JSON object of texts."""

    __slots__ = ("texts",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, texts: Sequence[bytes]) -> None:
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, str]: ...
    @overload
    def __getitem__(self, index: slice) -> LabelTexts: ...
    def __getitem__(self, index: int | slice) -> Mapping[str, str] | LabelTexts:
        if isinstance(index, slice):
            return LabelTexts(self.texts[index])
        labels: Mapping[str, str] = orjson.loads(self.texts[index])
        return labels

    def __iter__(self) -> Iterator[Mapping[str, str]]:
        return map(orjson.loads, self.texts)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LabelTexts) and self.texts == other.texts:
            return True
        return isinstance(other, Sequence) and tuple(self) == tuple(other)


def are_label_sets(texts: Sequence[bytes]) -> bool:
    """Return whether each text is a JSON object of texts."""
    return all(map(_is_label_set, texts))


def joined(parts: Sequence[LabelSets]) -> LabelSets:
    """Return the label sets of several answers one after the other."""
    if len(parts) == 1:
        return parts[0]
    texts = [part.texts for part in parts if isinstance(part, LabelTexts)]
    if len(texts) == len(parts):
        return LabelTexts(tuple(chain.from_iterable(texts)))
    return tuple(chain.from_iterable(parts))


def is_of_texts(labels: Any) -> TypeGuard[dict[str, str]]:
    """Return whether something parsed is a label set."""
    return isinstance(labels, dict) and all(type(value) is str for value in labels.values())


def _is_label_set(text: bytes) -> bool:
    try:
        return is_of_texts(orjson.loads(text))
    except orjson.JSONDecodeError:
        return False
