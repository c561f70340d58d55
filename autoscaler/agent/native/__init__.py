"""The limiter: a shared library in C that programs of a worker pod are started with."""
