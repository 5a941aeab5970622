"""A recording SMTP sink on loopback, in a thread of the test: keeps every message it has answered 250, with the time."""
import asyncio
import threading
import time

from . import unsteady


class Sink:
    """host/port to relay to; messages: list of (monotonic time, reverse path, recipients, bytes as received)."""

    def __init__(self, port=0, extensions=("PIPELINING", "SIZE 104857600", "8BITMIME", "DSN", "ENHANCEDSTATUSCODES"),
                 reply=None):
        self.messages = []
        self.unconfirmed = set()   # places in messages: the connection broke after its reply, which may have been lost
        self.port = port
        self.extensions = extensions
        self.reply = reply or (lambda stage, value: None)   # (stage, text) -> reply line or None for the usual one
        self.connections = 0
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        if not self.ready.wait(60):
            raise AssertionError("the sink did not start")
        return self

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(30)

    def _run(self):
        asyncio.set_event_loop(self.loop)

        async def listen():
            server = await asyncio.start_server(self._session, "127.0.0.1", self.port, limit=1 << 20, backlog=512)
            self.port = server.sockets[0].getsockname()[1]
            self.ready.set()
            return server

        async def end_sessions(server):
            server.close()
            sessions = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in sessions:
                task.cancel()
            await asyncio.gather(*sessions, return_exceptions=True)

        server = self.loop.run_until_complete(listen())
        try:
            self.loop.run_forever()
            # What still waits for a client is ended here, or asyncio complains of it when the test ends.
            self.loop.run_until_complete(end_sessions(server))
        finally:
            self.loop.close()

    async def _session(self, reader, writer):
        self.connections += 1
        last = []   # place of the message that nothing has followed yet
        try:
            await self._dialogue(reader, writer, last)
        except (ConnectionError, asyncio.IncompleteReadError, ValueError, asyncio.CancelledError):
            pass
        finally:
            self.unconfirmed.update(last)
            writer.close()

    async def _dialogue(self, reader, writer, last):
        def say(line):
            writer.write(line.encode() + b"\r\n")

        say(self.reply("greeting", "") or "220 sink.test ESMTP")
        sender, recipients = "", []
        while True:
            await writer.drain()
            line = (await reader.readline()).decode("utf-8", "replace")
            if not line:
                return
            last.clear()
            verb = line[:4].upper()
            text = line.rstrip("\r\n")
            answer = self.reply(verb.lower(), text)
            if answer == "close":
                return
            if verb == "EHLO":
                say("250-sink.test")
                for extension in self.extensions[:-1]:
                    say("250-" + extension)
                say("250 " + self.extensions[-1])
            elif verb == "MAIL":
                sender, recipients = text[10:], []
                say(answer or "250 2.1.0 ok")
            elif verb == "RCPT":
                if not answer or answer.startswith("2"):
                    recipients.append(text[8:])
                say(answer or "250 2.1.5 ok")
            elif verb == "DATA":
                if answer or not recipients:
                    say(answer or "554 5.5.1 no valid recipients")
                    continue
                say("354 go")
                await writer.drain()
                content = []
                while True:
                    data = await reader.readuntil(b"\r\n")
                    if data == b".\r\n":
                        break
                    content.append(data[1:] if data.startswith(b".") else data)
                answer = self.reply("final", text)
                if answer == "close":
                    return
                if not answer or answer.startswith("2"):
                    self.messages.append((time.monotonic(), sender, recipients, b"".join(content)))
                    last.append(len(self.messages) - 1)
                    await asyncio.sleep(unsteady.answer_later(len(self.messages)))
                say(answer or "250 2.0.0 ok")
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                await writer.drain()
                return
            else:
                say("250 2.0.0 ok")
