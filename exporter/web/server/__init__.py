"""The HTTP server: listening sockets, TLS connections, and protection against slow clients."""
