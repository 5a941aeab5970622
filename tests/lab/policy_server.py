#!/usr/bin/env python3
"""An HTTPS server with one file: policy_server.py IPV4 IPV6 CERTIFICATE KEY FILE, at /.well-known/mta-sts.txt (RFC 8461).
FILE.how says how it answers: "" as it should; "404", "301" and so on; "hang": never; "large": with more than anybody takes;
"html": as a page."""
import http.server
import os
import socket
import ssl
import sys
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 30

    def do_GET(self):
        if self.path.partition("?")[0] != "/.well-known/mta-sts.txt":
            self.send_error(404)
            return
        with open(sys.argv[5], "rb") as policy:
            text = policy.read()
        how = ""
        if os.path.exists(sys.argv[5] + ".how"):
            with open(sys.argv[5] + ".how") as given:
                how = given.read()
        if how == "hang":
            time.sleep(600)
        if how == "large":
            text += b"x: " + b"x" * 100_000 + b"\r\n"
        self.send_response(int(how) if how.isdigit() else 200)
        if how.startswith("3"):
            self.send_header("Location", "https://mta-sts.sts.example/.well-known/mta-sts.txt?again")
        self.send_header("Content-Type", "text/html" if how == "html" else "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Server(http.server.ThreadingHTTPServer):
    def __init__(self, address, context):
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.context = context
        super().__init__((address, 443), Handler)

    def finish_request(self, request, client):   # the handshake in the connection's own thread
        try:
            request.settimeout(30)
            with self.context.wrap_socket(request, server_side=True) as stream:
                self.RequestHandlerClass(stream, client, self)
        except OSError:
            pass


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    servers = [Server(address, context) for address in sys.argv[1:3]]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == "__main__":
    main()
