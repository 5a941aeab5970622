"""Providers of tokens on loopback: one that is asked about each token (RFC 7662), one that publishes its keys (RFC 7517)."""
import base64
import http.server
import json
import os
import ssl
import subprocess
import threading
import time


def openssl(*arguments, text=None):
    return subprocess.run(["openssl", *arguments], input=text, check=True, capture_output=True, timeout=60).stdout


def url64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class JsonServer:
    """Answers each request with what self.answer(handler) gives, None: 404; by HTTPS with certificate = (certificate, key)."""

    def __init__(self, certificate=None):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def reply(self):
                answer = outer.answer(self)
                body = json.dumps(answer).encode()
                self.send_response(404 if answer is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            do_GET = do_POST = reply

            def log_message(self, *arguments):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Provider(JsonServer):
    """Says whether a token is good: "good" is; what it says of "broken" makes no sense."""

    def answer(self, request):
        form = request.rfile.read(int(request.headers["Content-Length"])).decode()
        known = request.headers.get("Authorization") == "Basic " + base64.b64encode(b"gate:s").decode()
        token = dict(pair.split("=") for pair in form.split("&"))["token"]
        return {"active": token == "good" and known, "email": "me@example.org"} if token != "broken" else "?"


class Keys(JsonServer):
    """The set of public keys at self.url, and tokens for `user` signed with them."""

    def __init__(self, folder, user, certificate=None):
        self.user, self.key, self.asked = user, os.path.join(folder, "jwt.key"), 0
        openssl("genrsa", "-out", self.key, "2048")
        modulus = openssl("rsa", "-in", self.key, "-noout", "-modulus").decode().strip().split("=")[1]
        self.public = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k1", "n": url64(bytes.fromhex(modulus)), "e": "AQAB"}
        super().__init__(certificate)
        self.url = f"https://localhost:{self.port}/keys" if certificate else f"http://127.0.0.1:{self.port}/keys"

    def answer(self, request):
        self.asked += 1
        return {"keys": [self.public]} if request.path == "/keys" else None

    def token(self, **changes):
        claims = {"iss": "https://issuer.test", "aud": "mail", "email": self.user, "exp": int(time.time()) + 3600, **changes}
        signed = ".".join(url64(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT", "kid": self.public["kid"]}, claims))
        return signed + "." + url64(openssl("dgst", "-sha256", "-sign", self.key, text=signed.encode()))
