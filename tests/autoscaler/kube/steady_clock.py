"""A steady clock that stands until a test, or a wait, moves it."""


class SteadyClock:
    """Seconds since an arbitrary moment; calling it tells them."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def wait(self, wait_s: float) -> None:
        """Let time pass."""
        assert wait_s >= 0
        self.now_s += wait_s
