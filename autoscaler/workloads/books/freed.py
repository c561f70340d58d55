"""Where room grew, so that whoever waits for it is looked at again."""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.workloads.books.card import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class Freed:
    """GPUs that have more room than before, and namespaces whose workers have less than before."""

    gpus: frozenset[str] = frozenset()
    """Names of the GPU objects."""
    namespaces: frozenset[str] = frozenset()

    def __or__(self, other: Freed) -> Freed:
        return Freed(gpus=self.gpus | other.gpus, namespaces=self.namespaces | other.namespaces)

    def __bool__(self) -> bool:
        return bool(self.gpus or self.namespaces)


def offers_more(former: Card | None, card: Card) -> bool:
    """Return whether workers may be placed on a card that could not be before, or could elsewhere.

    More room on it is seen by what is free.
    """
    if card.problem:
        return False
    return former is None or bool(former.problem) or _where(former) != _where(card)


def _where(card: Card) -> tuple[str, ...]:
    return card.node, card.pool, card.gpu_model, card.model, card.vendor
