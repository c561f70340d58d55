"""What processes do in place of a training that goes well; here, so that little is loaded."""

import os
import signal


def hang(_table):
    signal.pause()


def die(_table):
    os._exit(3)
