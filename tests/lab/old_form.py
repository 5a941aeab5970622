#!/usr/bin/env python3
"""A relay as there were some: old_form.py IPV4 IPV6 CERTIFICATE KEY PORT. TLS at port 465, and behind it what listens at
127.0.0.1:PORT, whose "AUTH LOGIN PLAIN" is taken out of the reply to EHLO; "AUTH=LOGIN PLAIN" stays."""
import socket
import socketserver
import ssl
import sys
import threading


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Session(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            with self.server.context.wrap_socket(self.request, server_side=True) as client, socket.create_connection(("127.0.0.1", int(sys.argv[5]))) as behind:
                threading.Thread(target=pump, args=(client, behind), daemon=True).start()
                for line in behind.makefile("rb"):
                    if not line.startswith((b"250-AUTH ", b"250 AUTH ")):
                        client.sendall(line)
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True

    def __init__(self, address, context):
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.context = context
        super().__init__((address, 465), Session)


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    servers = [Server(address, context) for address in sys.argv[1:3]]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == "__main__":
    main()
