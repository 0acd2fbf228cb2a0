"""The HTTP server: listening sockets, TLS connections, and protection against slow clients.

It is uvicorn with further limits. Prometheus must be able to scrape the exporter while other clients stall, and no
server meets this requirement by its settings only. `benchmarks/servers` compares this package with uvicorn and
hypercorn, with the same application and the same soft limit of file descriptors:

- uvicorn waits a minute for a TLS handshake, and forever for a request or for a client that does not read its response.
  1,500 TLS clients that send nothing use all of its file descriptors, and every scrape fails.
- hypercorn has a deadline for the handshake and the head of a request, but none for a client that does not read its
  response. 500 such clients keep all their responses in memory, and SIGTERM does not stop the server while they are
  connected. Connections are not limited either, so that scrapes wait until others are dropped.
- Neither of them reads a new certificate. hypercorn also accepts HTTP/2 without TLS, which the exporter does not need.

What this package adds, and where:

- `connections.py`: a deadline for each phase of a connection, and limits for connections and unread responses.
- `protocol.py`: uvicorn's HTTP/1.1 protocol, which reports the phase of its connection.
- `listener.py`, `addresses.py`: several addresses, and error messages that name the flag.
- `tls.py`: contexts that can be replaced while the server runs, and checks of client certificates.
- `server.py`: the thread, the limit of file descriptors, and a stop within two seconds.
"""
