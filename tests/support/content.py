"""What a relay may change in a message, taken away again."""


def without_trace(data):
    """The message without the one Received field that was put before it."""
    if not data.startswith(b"Received:"):
        raise AssertionError("no trace field: " + repr(data[:100]))
    at = data.index(b"\r\n") + 2
    while data[at:at + 1] in (b" ", b"\t"):
        at = data.index(b"\r\n", at) + 2
    return data[at:]
