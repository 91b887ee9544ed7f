"""A name server for TXT records of one file: `name<TAB>text` lines. Nothing else is there."""

import socket
import sys

with open(sys.argv[1]) as file:
    zone = dict(line.rstrip("\n").split("\t") for line in file)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    query, peer = server.recvfrom(4096)
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    question = query[12 : at + 5]
    text = zone.get(".".join(labels).lower(), "").encode()
    is_text = query[at + 1 : at + 3] == b"\0\x10"
    count, answer = 0, b""
    if text and is_text:
        pieces = [text[i : i + 255] for i in range(0, len(text), 255)]
        data = b"".join(bytes([len(piece)]) + piece for piece in pieces)
        count = 1
        answer = b"\xc0\x0c\0\x10\0\x01\0\0\0\x3c" + len(data).to_bytes(2, "big") + data
    flags = b"\x85\x80" if text else b"\x85\x83"
    reply = query[:2] + flags + b"\0\x01" + count.to_bytes(2, "big") + b"\0\0\0\0"
    server.sendto(reply + question + answer, peer)
