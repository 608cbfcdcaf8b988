#!/usr/bin/env python3
"""Captured streams of Go's programs, played to ours.

usage: gostream.py ask PORT NAME [OLD=NEW...]   be the client of the capture
       gostream.py serve PORTFILE NAME          be its server, for one stream

ask sends what Go's client sent and prints what comes back, one line of JSON a
frame as godec.py does, until the answer.  Texts are replaced by others of the
same length.  serve answers the first message as Go's server did; what it was
sent goes to standard output.
"""
import io
import json
import os
import socket
import sys

sys.dont_write_bytecode = True  # the tree stays as it is
import godec

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vectors")
PATIENCE = 30


def read(name):
    with open(os.path.join(VECTORS, name + ".bin"), "rb") as file:
        return file.read()


def show(frame):
    print(json.dumps(frame, sort_keys=True), flush=True)


def frames_until(stream, last):
    """Frames as they come, up to one of a type in last."""
    while True:
        frame = godec.read_frame(stream)
        if frame is None:
            return
        show(frame)
        yield frame
        if frame["hdr"]["Typ_zid10_rct"] in last:
            return


def split(data):
    """What comes before the cancellation at the end, and that."""
    stream = io.BytesIO(data)
    at = 0
    while True:
        frame = godec.read_frame(stream)
        if frame is None or frame["hdr"]["Typ_zid10_rct"] == 103:
            return data[:at], data[at:]
        at = stream.tell()


def ask(port, name, changes):
    data = read(name + "-c2s")
    for change in changes:
        old, new = (text.encode() for text in change.split("=", 1))
        assert len(old) == len(new) and old in data, change
        data = data.replace(old, new)
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    sock.settimeout(PATIENCE)
    data, cancel = split(data)
    # One byte at a time, as a network may.
    for i in range(len(data)):
        sock.send(data[i : i + 1])
    for _ in frames_until(sock.makefile("rb"), (101, 104)):
        pass
    # Go cancels what has ended; that is no error.
    sock.sendall(cancel)


def serve(portfile, name):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    with open(portfile + ".new", "w", encoding="ascii") as file:
        file.write(str(listener.getsockname()[1]))
    os.rename(portfile + ".new", portfile)
    listener.settimeout(PATIENCE)
    sock, _ = listener.accept()
    sock.settimeout(PATIENCE)
    stream = sock.makefile("rb")
    first = godec.read_frame(stream)
    show(first)
    seqno = first["hdr"]["Seqno_zid09_u64"]
    assert 0 <= seqno < 128, "a number of one byte"
    if first["hdr"]["Typ_zid10_rct"] in (3, 105):
        for _ in frames_until(stream, (107,)):
            pass
    data = read(name + "-s2c")
    key = b"Seqno_zid09_u64"
    data = data.replace(key + b"\x02", key + bytes([seqno]))
    call_id = b"CallID_zid11_str\xd9\x2c"
    at = data.index(call_id) + len(call_id)
    old = data[at : at + 44]
    data = data.replace(old, first["hdr"]["CallID_zid11_str"].encode())
    sock.sendall(data)
    stream.read()


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        ask(int(sys.argv[2]), sys.argv[3], sys.argv[4:])
    else:
        serve(sys.argv[2], sys.argv[3])
