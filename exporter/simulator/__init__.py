"""A simulated Amazon Q Business over HTTP: for `demo` and for the tests, and for nothing else."""
