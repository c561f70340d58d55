"""The control page and the page of use of each worker, as files."""
