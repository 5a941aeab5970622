"""The SMTP server behind tools/practice-provider and tools/scripted-peer: a submission server that keeps what it gets.

Only Python's standard library. A Script says what to do otherwise than a good server would, and when; without one it is
a good server. Every step is one JSON line on standard output. All is bounded: connections, lines, messages, attempts.
"""
import asyncio
import base64
import hashlib
import hmac
import json
import os
import secrets
import signal
import socket
import ssl
import struct
import sys

MAX_CONNECTIONS = 20_000
MAX_LINE = 64 * 1024
MAX_MESSAGE = 128 << 20
MAX_AUTH_TRIES = 20
ITERATIONS = 4096
MECHANISMS = ("SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN")


class Closed(Exception):
    """The connection is at its end, by either side."""


class Script:
    """What happens at a step: 'mail' at every MAIL, 'rcpt:3' at the third RCPT of a transaction, 'final:2' at the second
    message of the whole run. Steps: greeting ehlo starttls auth mail rcpt data content final quit."""

    def __init__(self, reply=None, cut=None, stall=None, endless=None, huge=None, lose=None, inject="", octet_delay=0.0, reset=False,
                 sessions=0):
        self.reply, self.cut, self.stall = reply or {}, set(cut or ()), stall or {}
        self.endless, self.huge, self.lose = set(endless or ()), huge or {}, set(lose or ())
        self.inject, self.octet_delay, self.reset, self.sessions = inject, octet_delay, reset, sessions
        self.seen = {}

    def count(self, step):
        self.seen[step] = self.seen.get(step, 0) + 1
        return self.seen[step]

    @staticmethod
    def pick(table, step, nth):
        return table.get(f"{step}:{nth}", table.get(step)) if isinstance(table, dict) else (f"{step}:{nth}" in table or step in table)


class Wire:
    """Octets in and out of one connection; TLS can begin in its middle."""

    def __init__(self, reader, writer, script):
        self.reader, self.writer, self.script, self.buffer = reader, writer, script, bytearray()

    async def more(self):
        data = await self.reader.read(65536)
        if not data:
            raise Closed("the client closed the connection")
        self.buffer += data

    async def line(self):
        start = 0
        while (end := self.buffer.find(b"\r\n", start)) < 0:
            if len(self.buffer) > MAX_LINE:
                raise Closed("line too long")
            start = max(len(self.buffer) - 1, 0)
            await self.more()
        line = bytes(self.buffer[:end])
        del self.buffer[:end + 2]
        return line

    async def octets(self, number):
        while len(self.buffer) < number:
            await self.more()
        data = bytes(self.buffer[:number])
        del self.buffer[:number]
        return data

    async def until_dot(self):
        """The message as it was before dot-stuffing. RFC 5321 section 4.1.1.4: only CRLF.CRLF ends it."""
        if not self.buffer:
            await self.more()
        while len(self.buffer) < 3:
            await self.more()
        if self.buffer.startswith(b".\r\n"):
            del self.buffer[:3]
            return b""
        start = 0
        while (end := self.buffer.find(b"\r\n.\r\n", start)) < 0:
            if len(self.buffer) > MAX_MESSAGE:
                raise Closed("message too large")
            start = max(len(self.buffer) - 4, 0)
            await self.more()
        data = bytes(self.buffer[:end + 2])
        del self.buffer[:end + 5]
        # RFC 5321 section 4.5.2: a dot that begins a line is taken away
        return (data[1:] if data.startswith(b".") else data).replace(b"\r\n.", b"\r\n")

    async def say(self, text):
        data = text.encode("utf-8", "surrogateescape") + b"\r\n"
        if self.script.octet_delay:
            for octet in data:
                self.writer.write(bytes((octet,)))
                await self.flush()
                await asyncio.sleep(self.script.octet_delay)
        else:
            self.writer.write(data)

    async def flush(self):
        try:
            await self.writer.drain()
        except (ConnectionError, OSError) as error:
            raise Closed(str(error)) from None

    def end(self):
        """Closes at once; with script.reset by a RST, as a host that lost its state does."""
        if self.script.reset:
            raw = self.writer.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        else:
            self.writer.close()


class Session:
    def __init__(self, peer, number, reader, writer):
        self.peer, self.number, self.script = peer, number, peer.script
        self.wire = Wire(reader, writer, peer.script)
        self.tls = bool(peer.implicit_tls)
        self.user, self.auth_tries, self.mechanism = None, 0, None
        self.forget()

    def forget(self):
        self.sender, self.recipients, self.asked, self.chunks = None, [], 0, None

    def tell(self, step, **values):
        self.peer.tell(step, session=self.number, **values)

    # --- the script's turn at each step: the reply it wants instead, or None

    async def at(self, step, nth=None):
        nth = self.script.count(step) if nth is None else nth
        if self.script.sessions and self.number > self.script.sessions:
            return None
        wait = self.script.pick(self.script.stall, step, nth)
        if wait:
            await self.wire.flush()
            await asyncio.sleep(float(wait))
        if self.script.pick(self.script.cut, step, nth):
            await self.wire.flush()
            self.tell("cut", at=step)
            raise Closed("cut by the script")
        if self.script.pick(self.script.endless, step, nth):
            while True:
                await self.wire.say("250-and so on")
                await self.wire.flush()
        size = self.script.pick(self.script.huge, step, nth)
        if size:
            return "250 " + "x" * int(size)
        return self.script.pick(self.script.reply, step, nth)

    async def run(self):
        if self.tls:
            self.tell("tls", **self.tls_facts())
        text = await self.at("greeting")
        await self.wire.say(text or "220 " + self.peer.name + " ESMTP practice provider")
        while True:
            if not self.wire.buffer:
                await self.wire.flush()
            line = (await self.wire.line()).decode("utf-8", "surrogateescape")
            verb, _, rest = line.partition(" ")
            handler = getattr(self, "do_" + verb.lower(), None) if verb.isalpha() else None
            if handler is None:
                await self.wire.say("500 5.5.1 unknown command")
            elif await handler(rest.strip()) is False:
                return

    # --- before mail

    def offers(self):
        peer, lines = self.peer, [self.peer.name]
        lines += peer.extensions
        if peer.starttls and not self.tls:
            lines.append("STARTTLS")
        if peer.auth == "always" or peer.auth == ("tls" if self.tls else "clear"):
            lines.append("AUTH " + " ".join(peer.mechanisms))
        return lines

    async def do_ehlo(self, rest):
        self.forget()
        text = await self.at("ehlo")
        if text:
            return await self.wire.say(text)
        lines = self.offers()
        for line in lines[:-1]:
            await self.wire.say("250-" + line)
        await self.wire.say("250 " + lines[-1])

    async def do_helo(self, rest):
        self.forget()
        await self.wire.say("250 " + self.peer.name)

    async def do_starttls(self, rest):
        text = await self.at("starttls")
        if text or not self.peer.starttls or self.tls:
            return await self.wire.say(text or "503 5.5.1 no STARTTLS here")
        self.wire.writer.write(b"220 2.0.0 go ahead\r\n" + self.script.inject.encode("utf-8").replace(b"\\r\\n", b"\r\n"))
        await self.wire.flush()
        # RFC 3207 section 4.2: nothing that came before the handshake survives it
        self.wire.buffer.clear()
        try:
            await asyncio.wait_for(self.wire.writer.start_tls(self.peer.tls_context), 30)
        except (ssl.SSLError, OSError, asyncio.TimeoutError) as error:
            self.tell("tls_failed", error=str(error) or type(error).__name__)
            raise Closed("handshake failed") from None
        self.tls, self.user = True, None
        self.forget()
        self.tell("tls", **self.tls_facts())

    def tls_facts(self):
        writer = self.wire.writer
        cipher = writer.get_extra_info("cipher") or ("", "", 0)
        return {"version": cipher[1], "cipher": cipher[0]}

    async def do_noop(self, rest):
        await self.wire.say("250 2.0.0 ok")

    async def do_rset(self, rest):
        self.forget()
        await self.wire.say("250 2.0.0 ok")

    async def do_quit(self, rest):
        text = await self.at("quit")
        await self.wire.say(text or "221 2.0.0 bye")
        await self.wire.flush()
        return False

    # --- AUTH (RFC 4954)

    async def do_auth(self, rest):
        text = await self.at("auth")
        name, _, initial = rest.partition(" ")
        self.auth_tries += 1
        self.tell("auth_try", mechanism=name.upper(), tls=self.tls)
        if text:
            return await self.wire.say(text)
        if self.auth_tries > MAX_AUTH_TRIES:
            await self.wire.say("421 4.7.0 too many tries")
            return False
        if self.user is not None:
            return await self.wire.say("503 5.5.1 you are authenticated")
        if name.upper() not in self.peer.mechanisms:
            return await self.wire.say("504 5.5.4 unrecognized authentication type")
        if not self.tls and self.peer.auth == "tls":
            return await self.wire.say("538 5.7.11 encryption required")
        try:
            user = await getattr(self, "auth_" + name.lower().replace("-", "_"))(initial)
        except (ValueError, KeyError, IndexError) as error:
            self.tell("auth", ok=False, mechanism=name.upper(), error=type(error).__name__)
            return await self.wire.say("501 5.5.2 malformed or cancelled")
        self.tell("auth", ok=user is not None, mechanism=name.upper(), user=user)
        if user is None:
            return await self.wire.say("535 5.7.8 authentication credentials invalid")
        self.user, self.mechanism = user, name.upper()
        await self.wire.say("235 2.7.0 authentication successful")

    async def ask(self, challenge):
        await self.wire.say("334 " + base64.b64encode(challenge).decode())
        await self.wire.flush()
        return self.decode((await self.wire.line()).decode("ascii"))

    @staticmethod
    def decode(text):
        if text == "*":
            raise ValueError("cancelled")
        return b"" if text == "=" else base64.b64decode(text, validate=True)

    def known(self, user, password):
        right = self.peer.users.get(user)
        return user if right is not None and hmac.compare_digest(right.encode(), password) else None

    async def auth_plain(self, initial):
        _, user, password = (self.decode(initial) if initial else await self.ask(b"")).split(b"\0")
        return self.known(user.decode(), password)

    async def auth_login(self, initial):
        user = self.decode(initial) if initial else await self.ask(b"Username:")
        return self.known(user.decode(), await self.ask(b"Password:"))

    async def auth_cram_md5(self, initial):
        challenge = f"<{secrets.token_hex(8)}@{self.peer.name}>".encode()
        user, _, digest = (await self.ask(challenge)).decode().rpartition(" ")
        right = hmac.new(self.peer.users.get(user, "").encode(), challenge, "md5").hexdigest()
        return user if user in self.peer.users and hmac.compare_digest(right, digest) else None

    async def auth_scram_sha_256(self, initial):
        first = (self.decode(initial) if initial else await self.ask(b"")).decode()
        flag, _, bare = first.split(",", 2)
        if flag not in ("n", "y"):
            raise ValueError("no channel binding here")
        parts = dict(p.split("=", 1) for p in bare.split(","))
        user = parts["n"].replace("=2C", ",").replace("=3D", "=")
        salt, nonce = hashlib.sha256(b"salt" + user.encode()).digest()[:16], parts["r"] + secrets.token_urlsafe(18)
        challenge = f"r={nonce},s={base64.b64encode(salt).decode()},i={ITERATIONS}"
        final = (await self.ask(challenge.encode())).decode()
        without_proof, _, proof = final.rpartition(",p=")
        if dict(p.split("=", 1) for p in without_proof.split(","))["r"] != nonce:
            raise ValueError("nonce")
        client_key, server_key = self.peer.scram_keys(user, salt)
        message = ",".join((bare, challenge, without_proof)).encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        given = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature))
        if user not in self.peer.users or not hmac.compare_digest(given, client_key):
            return None
        proof_of_server = hmac.digest(server_key, message, "sha256")
        await self.ask(b"v=" + base64.b64encode(proof_of_server))
        return user

    # --- mail

    async def do_mail(self, rest):
        text = await self.at("mail")
        if text is None and self.peer.auth_required and self.user is None:
            text = "530 5.7.0 authentication required"
        if text is None and self.peer.tls_required and not self.tls:
            text = "530 5.7.0 must issue a STARTTLS command first"
        if text is None and self.sender is not None:
            text = "503 5.5.1 nested MAIL"
        self.tell("mail", argument=rest, reply=text or "250")
        if text is None or text.startswith("2"):
            self.forget()
            self.sender = rest.partition(":")[2].strip()
        await self.wire.say(text or "250 2.1.0 ok")

    async def do_rcpt(self, rest):
        self.asked += 1
        text = await self.at("rcpt", self.asked)
        if text is None and self.sender is None:
            text = "503 5.5.1 MAIL first"
        self.tell("rcpt", argument=rest, reply=text or "250")
        if text is None or text.startswith("2"):
            self.recipients.append(rest.partition(":")[2].strip())
        await self.wire.say(text or "250 2.1.5 ok")

    async def do_data(self, rest):
        text = await self.at("data")
        if text is None and not self.recipients:
            text = "554 5.5.1 no valid recipients"
        if text is not None and not text.startswith("354"):
            return await self.wire.say(text)
        await self.wire.say(text or "354 go")
        await self.wire.flush()
        nth = self.script.count("content")
        if self.script.pick(self.script.cut, "content", nth):
            await self.wire.octets(1)
            self.tell("cut", at="content")
            raise Closed("cut by the script")
        content = await self.wire.until_dot()
        self.peer.dots += 1
        await self.take(content)

    async def do_bdat(self, rest):
        """RFC 3030"""
        words = rest.upper().split()
        size = int(words[0]) if words and words[0].isdigit() else -1
        if not 0 <= size <= MAX_MESSAGE or "CHUNKING" not in self.peer.extensions:
            return await self.wire.say("500 5.5.1 no such command")
        data = await self.wire.octets(size)
        if not self.recipients:
            return await self.wire.say("503 5.5.1 no valid recipients")
        self.chunks = (self.chunks or []) + [data]
        if len(words) < 2 or words[1] != "LAST":
            return await self.wire.say("250 2.0.0 chunk taken")
        self.peer.dots += 1
        await self.take(b"".join(self.chunks))

    async def take(self, content):
        nth = self.script.count("final")
        lost = self.script.pick(self.script.lose, "final", nth)
        text = None if lost else await self.at("final", nth)
        if not self.recipients and text is None:
            text = "554 5.5.1 no valid recipients"
        if text is None or text.startswith("2"):
            self.peer.keep(self, content)
        self.forget()
        if lost:
            self.tell("cut", at="final", kept=True)
            raise Closed("the final reply is lost")
        await self.wire.say(text or "250 2.0.0 kept")


class Peer:
    def __init__(self, arguments, script):
        self.script, self.name = script, arguments.hostname
        self.users = dict(user.split(":", 1) for user in arguments.user)
        self.mechanisms, self.extensions = arguments.mechanisms, arguments.extensions
        self.auth, self.auth_required, self.tls_required = arguments.auth, arguments.auth_required, arguments.tls_required
        self.implicit_tls, self.out, self.quiet = arguments.implicit_tls, arguments.out, arguments.quiet
        self.port, self.messages, self.dots, self.connections, self.open = arguments.port, 0, 0, 0, 0
        self.keys = {}
        self.tls_context = None
        if arguments.cert:
            self.tls_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls_context.load_cert_chain(arguments.cert, arguments.key or arguments.cert)
            if arguments.tls_max == "1.2":
                self.tls_context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.starttls = arguments.starttls and self.tls_context is not None and not self.implicit_tls
        if self.out:
            os.makedirs(self.out, exist_ok=True)

    def tell(self, step, **values):
        if self.quiet and step not in ("listening", "message", "summary"):
            return
        sys.stdout.write(json.dumps({"step": step, **values}) + "\n")
        sys.stdout.flush()

    def scram_keys(self, user, salt):
        if user not in self.keys:
            salted = hashlib.pbkdf2_hmac("sha256", self.users.get(user, secrets.token_hex(8)).encode(), salt, ITERATIONS)
            keys = hmac.digest(salted, b"Client Key", "sha256"), hmac.digest(salted, b"Server Key", "sha256")
            if user not in self.users:
                return keys
            self.keys[user] = keys
        return self.keys[user]

    def keep(self, session, content):
        self.messages += 1
        facts = {"sender": session.sender, "recipients": session.recipients, "size": len(content),
                 "sha256": hashlib.sha256(content).hexdigest(), "user": session.user, "tls": session.tls}
        if self.out:
            facts["file"] = os.path.join(self.out, f"{self.messages:06d}.eml")
            with open(facts["file"], "wb") as file:
                file.write(content)
        session.tell("message", **facts)

    async def connection(self, reader, writer):
        self.connections += 1
        session = Session(self, self.connections, reader, writer)
        if self.open >= MAX_CONNECTIONS:
            writer.write(b"421 4.3.2 too many connections\r\n")
            return session.wire.end()
        self.open += 1
        try:
            address = writer.get_extra_info("peername") or ("", 0)
            session.tell("connected", address=address[0], port=address[1])
            await session.run()
            session.tell("closed", why="quit")
        except (Closed, ConnectionError, ssl.SSLError, OSError, asyncio.IncompleteReadError) as error:
            session.tell("closed", why=str(error) or type(error).__name__)
        except asyncio.CancelledError:
            pass   # we are being ended
        finally:
            self.open -= 1
            session.wire.end()

    async def serve(self):
        context = self.tls_context if self.implicit_tls else None
        server = await asyncio.start_server(self.connection, "127.0.0.1", self.port, ssl=context, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self.tell("listening", port=self.port)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()
        server.close()
        self.tell("summary", connections=self.connections, messages=self.messages, final_dots=self.dots)


EXTENSIONS = ["PIPELINING", "SIZE 134217728", "8BITMIME", "SMTPUTF8", "DSN", "CHUNKING", "ENHANCEDSTATUSCODES"]


def common_arguments(parser):
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1; 0 chooses one, told in the first line of output")
    parser.add_argument("--cert", help="certificate chain, PEM")
    parser.add_argument("--key", help="its key, PEM (default: in --cert)")
    parser.add_argument("--user", action="append", default=[], metavar="NAME:PASSWORD", help="who may log in; may be repeated")
    parser.add_argument("--out", metavar="DIR", help="each message is written there, octet for octet")
    parser.add_argument("--hostname", default="localhost")
    parser.add_argument("--quiet", action="store_true", help="only the lines about messages")
    parser.add_argument("--implicit-tls", action="store_true", help="TLS from the first octet, as on port 465")


def serve(arguments, script):
    for user in arguments.user:
        if ":" not in user:
            raise SystemExit("--user takes NAME:PASSWORD")
    try:
        asyncio.run(Peer(arguments, script).serve())
    except OSError as error:
        raise SystemExit(f"cannot listen on 127.0.0.1:{arguments.port}: {error}")
