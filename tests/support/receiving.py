"""A test case whose server relays to a recording sink: one server a test, with the listener's settings the test needs."""
import unittest

from .server import Server, wait_for
from .sink import Sink


class ReceivingCase(unittest.TestCase):
    def setUp(self):
        self.sink = Sink().start()
        self.addCleanup(self.sink.stop)

    def serve(self, more="", top="", relay=True, start=True, **arguments):
        relay_block = f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {self.sink.port}\ntls = "none"\n'
        server = Server(relay=relay_block if relay else "", **arguments)
        self.addCleanup(server.discard)
        server.extra = top + f'[[listener]]\nname = "in"\naddress = "127.0.0.1"\nport = {server.port}\nadd_missing_headers = false\n' + more
        server.write_config()
        return server.start() if start else server

    def arrived(self, sender, count=1):
        def found():
            mine = [m for m in list(self.sink.messages) if m[1].startswith(f"<{sender}>")]
            return mine if len(mine) >= count else None
        return wait_for(found, 40, what=f"mail from {sender}")
