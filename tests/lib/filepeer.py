#!/usr/bin/env python3
"""A peer of file services that does not play by their rules.

usage: filepeer.py put PORT METHOD     ask in wrong ways; a line a case
       filepeer.py leave PORT METHOD NAME FILE COUNT
                                      put the first bytes of FILE, and go
       filepeer.py get PORTFILE CASE   answer one download, or upload, in a
                                      wrong way
"""
import hashlib
import os
import socket
import struct
import sys

sys.dont_write_bytecode = True  # the tree stays as it is
import godec

PATIENCE = 30


# ---- frames ----


def text(s):
    raw = s.encode() if isinstance(s, str) else s
    if len(raw) < 32:
        return bytes([0xA0 + len(raw)]) + raw
    return b"\xda" + struct.pack(">H", len(raw)) + raw


def number(n, unsigned=False):
    if n < 128:
        return bytes([n])
    return (b"\xcf" if unsigned else b"\xd3") + struct.pack(">Q", n)


def table(fields):
    out = b"\xde" + struct.pack(">H", len(fields))
    for key, value in fields:
        out += text(key) + value
    return out


def frame(kind, part, payload=b"", args=None, method="x", seqno=7, error="",
          call="one"):
    hdr = [
        ("ToServiceName_zid03_str", text(method)),
        ("Args_zid07_map",
         table([(k, text(v)) for k, v in (args or {}).items()])),
        ("Seqno_zid09_u64", number(seqno, True)),
        ("Typ_zid10_rct", number(kind)),
        ("CallID_zid11_str", text(call)),
        ("StreamPart_zid15_i64", number(part)),
    ]
    if kind in (101, 109, 110, 111):
        hdr = [f for f in hdr if not f[0].startswith("CallID")]
    body = table([
        ("HDR_zid00_rct", table(hdr)),
        ("JobSerz_zid01_bin", b"\xc6" + struct.pack(">I", len(payload)) + payload),
        ("JobErrs_zid02_str", text(error)),
    ])
    return godec.MAGIC + b"\0" + struct.pack(">Q", len(body)) + body


def blake2b(data):
    return hashlib.blake2b(data, digest_size=32).hexdigest()


# ---- wrong clients ----

TEN = b"0123456789"


def wait(stream, kinds):
    while True:
        got = godec.read_frame(stream)
        if got is None or got["hdr"]["Typ_zid10_rct"] in kinds:
            return got


def put_case(port, method, what, args, parts, early=b""):
    """Open, wait for the offer, send, and print how it ended."""
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    sock.settimeout(PATIENCE)
    stream = sock.makefile("rb")
    sock.sendall(frame(3, 0, early, args, method))
    got = None
    if not early:
        got = wait(stream, (109, 101))
    if got is None or got["hdr"]["Typ_zid10_rct"] == 109:
        for i, (kind, data, part_args) in enumerate(parts):
            sock.sendall(frame(kind, i + 1, data, part_args, method))
        if parts or early:
            got = wait(stream, (101,))
    print("%s: %s" % (what, (got or {}).get("JobErrs_zid02_str", "fine")))
    sock.close()


def leave(port, method, name, data):
    """Send data as what a file begins with, and go when it has arrived."""
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    sock.settimeout(PATIENCE)
    stream = sock.makefile("rb")
    sock.sendall(frame(3, 0, b"", {"file": name}, method))
    got = wait(stream, (109, 101))
    if got is None or got["hdr"]["Typ_zid10_rct"] != 109:
        sys.exit("no offer: %s" % (got or {}).get("JobErrs_zid02_str"))
    for i, at in enumerate(range(0, len(data), 65536)):
        sock.sendall(frame(106, i + 1, data[at:at + 65536],
                           {} if i else {"offset": "0"}, method))
    sock.shutdown(socket.SHUT_WR)
    while stream.read(4096):
        pass
    sock.close()


def put(port, method):
    def case(what, parts, early=b"", **args):
        args.setdefault("file", "raw-" + what.replace(" ", "-"))
        args = {k: v for k, v in args.items() if v is not None}
        put_case(port, method, what, args, parts, early)

    zero = {"offset": "0"}
    whole = {"offset": "0", "blake2b": blake2b(TEN)}
    case("good", [(107, TEN, whole)])
    case("good in parts", [(106, TEN[:3], zero), (106, TEN[3:], {}),
                           (107, b"", {"blake2b": blake2b(TEN)})], size="10")
    case("early", [], early=b"early")
    # It waits until the server has looked at what it has; so large, its
    # memory is kept for the next.
    case("early and long", [], early=bytes(60000))
    case("no file", [], file=None)
    case("nul", [], file="a\0b")
    case("size of words", [], size="ten")
    case("size too long", [], size="9" * 30)
    case("size negative", [], size="-1")
    case("size with a tail", [], size="10\0x")
    case("no offset", [(107, TEN, {"blake2b": blake2b(TEN)})])
    case("wrong offset", [(107, TEN, dict(whole, offset="5"))])
    case("offset of words", [(107, TEN, dict(whole, offset="x"))])
    case("no sum", [(107, TEN, zero)])
    case("wrong sum", [(107, TEN, dict(whole, blake2b=blake2b(b"")))])
    case("short sum", [(107, TEN, dict(whole, blake2b=whole["blake2b"][:9]))])
    case("longer", [(107, TEN, whole)], size="9")
    case("shorter", [(107, TEN, whole)], size="11")
    case("again", [(107, TEN, whole)], file="raw-good")
    leave(port, method, "raw-left", TEN)
    case("left is longer", [(107, TEN, dict(whole, offset="10"))],
         file="raw-left", size="5")


# ---- wrong servers ----

ANSWER = (101, b"", {})
SERVERS = {
    "good": [(109, TEN, {"offset": "0", "size": "10"}),
             (111, b"", {"blake2b": blake2b(TEN)}), ANSWER],
    "sum": [(109, TEN, {"offset": "0", "size": "10"}),
            (111, b"", {"blake2b": blake2b(b"x")}), ANSWER],
    "nosum": [(109, TEN, {"offset": "0", "size": "10"}), (111, b"", {}),
              ANSWER],
    "offset": [(109, TEN, {"offset": "3", "size": "13"}),
               (111, b"", {"blake2b": blake2b(TEN)}), ANSWER],
    "endless": [(109, TEN, {"offset": "0", "size": "15"}), (109, TEN, {})],
    "less": [(109, TEN, {"offset": "0", "size": "11"}),
             (111, b"", {"blake2b": blake2b(TEN)}), ANSWER],
    "short": [(109, TEN, {"pathsize": "11"}), (111, b"", {}), ANSWER],
    "blake3": [(109, TEN, {"blake3": "blake3.33B-no"}), (111, b"", {}),
               ANSWER],
    # Of an upload: what is there already, which takes long to compare.
    "offer": [(109, b"", {"offset": str(50 << 30), "blake2b": blake2b(b"")})],
    "half": [(109, TEN, {"offset": "0", "size": "10"})],
    "error": [(109, TEN, {"offset": "0", "size": "10"}), (101, b"", {}, "a\nb")],
}


def get(portfile, case):
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
    seqno = first["hdr"]["Seqno_zid09_u64"]
    for i, (kind, data, args, *error) in enumerate(SERVERS[case]):
        sock.sendall(frame(kind, 0 if kind == 101 else i, data, args, "",
                           seqno, *error))
    if case == "half":
        sock.close()
        stream.close()
        return
    try:
        stream.read()
    except OSError:
        pass


if __name__ == "__main__":
    if sys.argv[1] == "put":
        put(int(sys.argv[2]), sys.argv[3])
    elif sys.argv[1] == "leave":
        with open(sys.argv[5], "rb") as whole_file:
            leave(int(sys.argv[2]), sys.argv[3], sys.argv[4],
                  whole_file.read(int(sys.argv[6])))
    else:
        get(sys.argv[2], sys.argv[3])
