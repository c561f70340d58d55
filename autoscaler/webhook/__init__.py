"""Admission: what a pod becomes (``admit``, pure) and the server that is asked for it."""
