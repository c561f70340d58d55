"""An error is looked through, whichever way the layers wrapped it."""

from autoscaler.error_chain import chain_of, first_of


class WithReasonError(Exception):
    def __init__(self, reason):
        super().__init__("outer")
        self.reason = reason


def caused(outer, inner):
    outer.__cause__ = inner
    return outer


def met(outer, inner):
    outer.__context__ = inner
    return outer


def test_causes_contexts_reasons_and_arguments_belong_to_an_error():
    inner = ConnectionRefusedError("nobody")
    for error in (
        caused(ValueError("outer"), inner),
        met(ValueError("outer"), inner),
        WithReasonError(inner),
        ValueError("outer", inner),
        ValueError(WithReasonError(inner)),
    ):
        assert first_of(chain_of(error), ConnectionRefusedError) is inner


def test_the_outermost_of_some_kinds_comes_first():
    error = caused(KeyError("outer"), ValueError("inner"))
    assert first_of(chain_of(error), ValueError, KeyError) is error
    assert first_of(chain_of(error), OSError) is None


def test_an_error_that_holds_itself_is_looked_through_once():
    error = WithReasonError(None)
    error.reason = error
    assert chain_of(error) == (error,)
