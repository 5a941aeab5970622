"""A provider's limit that its customer reaches: what its Postfix asks about each message."""
import os
import socketserver
import tempfile
import threading

from . import plan

WORDS = "550 5.4.5 Daily user sending quota exceeded."


class Quota(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Stands behind check_policy_service, and is asked on standing connections too. used_up: from now on taro@ is refused."""
    daemon_threads = True

    def __init__(self):
        folder = tempfile.mkdtemp(prefix="sidegate-quota-")
        os.chmod(folder, 0o755)
        self.used_up = False
        super().__init__(os.path.join(folder, "policy"), Asked)
        os.chmod(self.server_address, 0o666)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def discard(self):
        self.shutdown()
        self.server_close()
        os.unlink(self.server_address)
        os.rmdir(os.path.dirname(self.server_address))


class Asked(socketserver.StreamRequestHandler):
    def handle(self):
        request = {}
        for line in self.rfile:
            name, _, value = line.decode().rstrip("\n").partition("=")
            request[name] = value
            if name:
                continue
            over = self.server.used_up and request.get("sender") == plan.TARO.user
            self.wfile.write(f"action={WORDS if over else 'DUNNO'}\n\n".encode())
            request = {}
