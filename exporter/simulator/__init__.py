"""A simulated Amazon Q Business over HTTP, for the `demo` command and for the tests."""
