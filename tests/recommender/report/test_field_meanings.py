import sys
from dataclasses import dataclass
from types import ModuleType

from recommender.report.field_meanings import field_meanings


@dataclass(frozen=True, kw_only=True)
class Card:
    """One GPU."""

    tflops: float
    """Its peak,
    with tensor cores."""
    name: str
    slots: int = 7

    @property
    def half(self) -> float:
        """Return half of it."""
        return self.tflops / 2


def test_the_text_below_a_field_is_its_meaning():
    assert field_meanings(Card) == {"tflops": "Its peak, with tensor cores."}


def test_nothing_is_known_of_a_class_without_its_source(monkeypatch):
    kind = type("Made", (), {"__module__": "made_at_run_time"})
    monkeypatch.setitem(sys.modules, "made_at_run_time", ModuleType("made_at_run_time"))

    assert field_meanings(kind) == {}
