#!/usr/bin/env python3
"""A home router's DNS proxy of the poor kind: router.py ADDRESS UPSTREAM. UDP alone, 512 octets, and nothing younger than
RFC 1035: what follows the question (EDNS, so DNSSEC too) is cut off on the way up, AD and CD are cleared on both ways."""
import socket
import sys
import threading

LARGEST = 512
TRUNCATED, RECURSION_DESIRED, AUTHENTIC, CHECKING_DISABLED = 0x0200, 0x0100, 0x0020, 0x0010
DNSSEC_TYPES = (43, 46, 47, 48, 50, 51)   # DS, RRSIG, NSEC, DNSKEY, NSEC3, NSEC3PARAM
NOT_IMPLEMENTED = 4


def end_of_question(message):
    at = 12
    while message[at] != 0:
        at += message[at] + 1
    return at + 5


def header(message, flags, counts):
    return message[:2] + flags.to_bytes(2, "big") + b"".join(count.to_bytes(2, "big") for count in counts)


def flags_of(message):
    return int.from_bytes(message[2:4], "big")


def upward(message):
    """The question as it is passed on."""
    return header(message, flags_of(message) & ~(AUTHENTIC | CHECKING_DISABLED), (1, 0, 0, 0)) + message[12:end_of_question(message)]


def downward(answer):
    flags = flags_of(answer) & ~(AUTHENTIC | CHECKING_DISABLED)
    if len(answer) > LARGEST:
        return header(answer, flags | TRUNCATED, (1, 0, 0, 0)) + answer[12:end_of_question(answer)]
    return answer[:2] + flags.to_bytes(2, "big") + answer[4:]


def refusal(message):
    flags = 0x8080 | (flags_of(message) & RECURSION_DESIRED) | NOT_IMPLEMENTED
    return header(message, flags, (1, 0, 0, 0)) + message[12:end_of_question(message)]


def serve(sock, message, client, upstream):
    try:
        question = upward(message)
        if int.from_bytes(question[-4:-2], "big") in DNSSEC_TYPES:
            sock.sendto(refusal(message), client)
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as up:
            up.settimeout(10)
            up.connect((upstream, 53))
            up.send(question)
            sock.sendto(downward(up.recv(65535)), client)
    except (OSError, IndexError):
        pass   # a router says nothing then


def main():
    address, upstream = sys.argv[1:3]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 53))
    while True:
        message, client = sock.recvfrom(65535)
        threading.Thread(target=serve, args=(sock, message, client, upstream), daemon=True).start()


if __name__ == "__main__":
    main()
