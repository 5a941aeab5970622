"""Real messages from public collections through the real binary, byte for byte: by DATA and by BDAT.

What SMTP cannot carry (bare CR, NUL) is refused with a reply that says so; nothing is changed in silence.
"""
import csv
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support.client import RawClient          # noqa: E402
from support.content import without_trace     # noqa: E402
from support.server import Server, wait_for   # noqa: E402
from support.sink import Sink                 # noqa: E402

CASES = os.path.join(os.environ.get("SIDEGATE_CASES", os.path.join(os.path.dirname(__file__), "../../../shared/cases")), "messages")
LONGEST = 65536   # long_lines = "pass" takes lines up to this, with CRLF


def as_smtp(data):
    """With CRLF at line ends, as whoever submits a file must do it; a bare CR stays what it is."""
    data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def carried(data):
    bare_cr = b"\r" in data.replace(b"\r\n", b"")
    return not bare_cr and b"\0" not in data and max(len(line) + 2 for line in data.split(b"\r\n")) <= LONGEST


class Messages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.isdir(CASES):
            raise unittest.SkipTest("skipped: no " + CASES)
        cls.sink = Sink().start()
        cls.server = Server(
            extra=f'[[listener]]\nname = "in"\naddress = "127.0.0.1"\nport = 0\nadd_missing_headers = false\n',
            relay=f'[[relay]]\nname = "sink"\nhost = "127.0.0.1"\nport = {cls.sink.port}\ntls = "none"\n')
        cls.server.extra = cls.server.extra.replace("port = 0", f"port = {cls.server.port}")
        cls.server.write_config()
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.server.discard()
        cls.sink.stop()

    def send(self, data, how, name):
        client = RawClient(self.server.port)
        client.open_transaction(sender=f"{name}@test")
        if how == "data":
            code, lines = client.data(data)
        else:
            half = len(data) // 2
            client.send(f"BDAT {half}\r\n".encode() + data[:half] + f"BDAT {len(data) - half} LAST\r\n".encode() + data[half:])
            code, lines = client.reply()
            last, last_lines = client.reply()
            if code == 250:
                code, lines = last, last_lines
        client.close()
        return code, lines

    def all_messages(self, how):
        with open(os.path.join(CASES, "index.tsv")) as index:
            files = [row["file"] for row in csv.DictReader(index, delimiter="\t")]
        sent, refused = {}, 0
        for number, file in enumerate(files):
            with open(os.path.join(CASES, file), "rb") as source:
                data = as_smtp(source.read())
            name = f"{how}{number}"
            code, lines = self.send(data, how, name)
            if carried(data):
                self.assertEqual(code, 250, (file, lines))
                sent[name] = (file, data)
            else:
                self.assertIn(code, range(500, 600), (file, lines))
                self.assertRegex(lines[0], r"^5\d\d[ -]5\.\d+\.\d+ ", file)
                refused += 1
        arrived = {}

        def complete():
            for _, sender, _, data in list(self.sink.messages):
                arrived[sender.split("@")[0].strip("<")] = data
            return set(sent) <= set(arrived)
        wait_for(complete, 60, 0.1, "all messages")
        for name, (file, data) in sent.items():
            self.assertEqual(without_trace(arrived[name]), data, file)
        print(f"{how}: {len(sent)} carried byte for byte, {refused} refused")

    def test_data(self):
        self.all_messages("data")

    def test_bdat(self):
        self.all_messages("bdat")


if __name__ == "__main__":
    unittest.main()
