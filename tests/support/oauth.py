"""A provider of tokens on loopback."""
import base64
import http.server
import json
import threading


class Provider:
    """Says whether a token is good (RFC 7662)."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                known = self.headers.get("Authorization") == "Basic " + base64.b64encode(b"gate:s").decode()
                token = dict(pair.split("=") for pair in form.split("&"))["token"]
                answer = {"active": token == "good" and known, "email": "me@example.org"} if token != "broken" else "?"
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
