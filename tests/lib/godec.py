#!/usr/bin/env python3
"""Reads frames as Go's rpc25519 reads them, and refuses what Go refuses.

Frames one after another on stdin (in hex with --hex); one line of JSON a frame
on stdout.  At the first byte that Go would not accept, the reason on stderr and
status 1.  It shares no code with rpckit: it is the second opinion on what we
send.

Stricter than Go in two points that matter for what we send: bytes after the
message's map are refused, and so is a key that occurs twice.
"""
import hashlib
import io
import json
import struct
import sys

MAGIC = bytes.fromhex("b35d1839ac8e1d")
BODY_MAX = 1310640
PAYLOAD_MAX = 1309616
CODES = (0, 7)  # not compressed; Go also takes 1, which we do not send

HDR = {
    "Created_zid00_tim": "time",
    "From_zid01_str": "str",
    "To_zid02_str": "str",
    "ToServiceName_zid03_str": "str",
    "ToPeerServiceNameVersion_zid04_str": "str",
    "FromServiceName_zid05_str": "str",
    "FromPeerServiceNameVersion_zid06_str": "str",
    "Args_zid07_map": "args",
    "Subject_zid08_str": "str",
    "Seqno_zid09_u64": "uint",
    "Typ_zid10_rct": "int",
    "CallID_zid11_str": "str",
    "Serial_zid12_i64": "int",
    "LocalRecvTm_zid13_tim": "time",
    "Deadline_zid14_tim": "time",
    "StreamPart_zid15_i64": "int",
    "NoSystemCompression_zid16_boo": "bool",
    "ToPeerID_zid17_str": "str",
    "ToPeerName_zid18_str": "str",
    "FromPeerID_zid19_str": "str",
    "FromPeerName_zid20_str": "str",
    "FragOp_zid21_int": "int",
}
MESSAGE = {
    "HDR_zid00_rct": "hdr",
    "JobSerz_zid01_bin": "bin",
    "JobErrs_zid02_str": "str",
    "EOF_zid03_boo": "bool",
}


class Refused(Exception):
    """What Go answers by closing the connection."""


class Reader:
    """A cursor over one body."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def refuse(self, why):
        raise Refused("byte %d of the body: %s" % (self.at, why))

    def peek(self):
        if self.at >= len(self.data):
            self.refuse("cut off")
        return self.data[self.at]

    def take(self, n):
        if n > len(self.data) - self.at:
            self.refuse("cut off")
        out = self.data[self.at : self.at + n]
        self.at += n
        return out

    def number(self, fmt):
        """The code byte is skipped, then a big-endian number follows."""
        size = struct.calcsize(fmt)
        return struct.unpack(">" + fmt, self.take(1 + size)[1:])[0]

    def read_int(self):
        c = self.peek()
        if c <= 0x7F:
            return self.take(1)[0]
        if c >= 0xE0:
            return self.take(1)[0] - 256
        if c in (0xD0, 0xD1, 0xD2, 0xD3):
            return self.number("bhiq"[c - 0xD0])
        return self.refuse("code %02x in a signed field" % c)

    def read_uint(self):
        c = self.peek()
        if c <= 0x7F:
            return self.take(1)[0]
        if c in (0xCC, 0xCD, 0xCE, 0xCF):
            return self.number("BHIQ"[c - 0xCC])
        return self.refuse("code %02x in an unsigned field" % c)

    def read_bool(self):
        c = self.peek()
        if c not in (0xC2, 0xC3):
            self.refuse("code %02x in a bool" % c)
        return self.take(1)[0] == 0xC3

    def read_time(self):
        head = self.data[self.at : self.at + 3]
        if head != b"\xc7\x0c\x05":
            self.refuse("a time begins with %s" % head.hex())
        sec, nsec = struct.unpack(">qi", self.take(15)[3:])
        return [sec, nsec]

    def read_str_bytes(self):
        c = self.peek()
        if 0xA0 <= c <= 0xBF:
            return self.take(1 + (c & 31))[1:]
        if c in (0xD9, 0xDA, 0xDB):
            n = self.number("BHI"[c - 0xD9])
            return self.take(n)
        return self.refuse("code %02x for a str" % c)

    def read_str(self):
        return self.read_str_bytes().decode("utf-8", "backslashreplace")

    def read_bin(self):
        c = self.peek()
        if c not in (0xC4, 0xC5, 0xC6):
            self.refuse("code %02x for a bin" % c)
        return self.take(self.number("BHI"[c - 0xC4]))

    def read_key(self):
        if self.peek() in (0xC4, 0xC5, 0xC6):
            return self.read_bin().decode("utf-8", "backslashreplace")
        return self.read_str()

    def read_map_head(self):
        c = self.peek()
        if 0x80 <= c <= 0x8F:
            return self.take(1)[0] & 15
        if c in (0xDE, 0xDF):
            return self.number("HI"[c - 0xDE])
        return self.refuse("code %02x for a map" % c)

    def read_args(self):
        out = {}
        for _ in range(self.read_map_head()):
            key = self.read_str()
            out[key] = self.read_str()
        return out

    def skip(self):
        """Any one value."""
        owed = 1
        while owed > 0:
            owed += self.skip_one() - 1

    def skip_one(self):
        """One item; how many items it announces."""
        c = self.peek()
        if c <= 0x7F or c >= 0xE0 or c in (0xC0, 0xC2, 0xC3):
            self.take(1)
        elif c <= 0x8F or c in (0xDE, 0xDF):
            return 2 * self.read_map_head()
        elif c <= 0x9F:
            return self.take(1)[0] & 15
        elif c in (0xDC, 0xDD):
            return self.number("HI"[c - 0xDC])
        elif c <= 0xBF or c in (0xD9, 0xDA, 0xDB):
            self.read_str_bytes()
        elif c in (0xC4, 0xC5, 0xC6):
            self.read_bin()
        elif c in (0xC7, 0xC8, 0xC9):
            self.take(1 + self.number("BHI"[c - 0xC7]))
        elif c in (0xCA, 0xCB):
            self.take(5 if c == 0xCA else 9)
        elif 0xCC <= c <= 0xD3:
            self.take(1 + (1 << (c - 0xCC) % 4))
        elif 0xD4 <= c <= 0xD8:
            self.take(2 + (1 << c - 0xD4))
        else:
            self.refuse("code %02x" % c)
        return 0

    def read_fields(self, fields):
        out = {}
        seen = set()
        for _ in range(self.read_map_head()):
            key = self.read_key()
            if key in seen:
                self.refuse("key %r twice" % key)
            seen.add(key)
            if key not in fields:
                self.skip()
            elif self.peek() == 0xC0:
                self.take(1)
            elif fields[key] == "hdr":
                out[key] = self.read_fields(HDR)
            else:
                out[key] = getattr(self, "read_" + fields[key])()
        return out


def read_exact(stream, n, what):
    data = stream.read(n)
    if len(data) != n:
        raise Refused("%s cut off after %d bytes" % (what, len(data)))
    return data


def show_payload(msg):
    """Large payloads as length and digest, small ones as hex."""
    payload = msg.pop("JobSerz_zid01_bin", b"")
    if len(payload) > PAYLOAD_MAX:
        raise Refused("a payload of %d bytes" % len(payload))
    if len(payload) <= 64:
        return payload.hex()
    return "%d bytes %s" % (len(payload), hashlib.sha256(payload).hexdigest())


def read_frame(stream):
    """The next frame as something JSON can show, or None at the end."""
    head = stream.read(16)
    if not head:
        return None
    if len(head) != 16:
        raise Refused("head cut off after %d bytes" % len(head))
    if head[:7] != MAGIC:
        raise Refused("magic %s" % head[:7].hex())
    if head[7] not in CODES:
        raise Refused("compression code %d" % head[7])
    (size,) = struct.unpack(">Q", head[8:])
    if not 1 <= size <= BODY_MAX:
        raise Refused("a body of %d bytes" % size)
    reader = Reader(read_exact(stream, size, "body"))
    msg = reader.read_fields(MESSAGE)
    if reader.at != size:
        reader.refuse("%d bytes after the message" % (size - reader.at))
    payload = show_payload(msg)
    hdr = msg.pop("HDR_zid00_rct", None)
    return {"body": size, "hdr": hdr, "payload": payload, **msg}


def main():
    number = 0
    stream = sys.stdin.buffer
    if sys.argv[1:] == ["--hex"]:
        stream = io.BytesIO(bytes.fromhex(sys.stdin.read()))
    try:
        while True:
            frame = read_frame(stream)
            if frame is None:
                return 0
            print(json.dumps(frame, sort_keys=True))
            number += 1
    except Refused as why:
        sys.stdout.flush()
        print("frame %d: %s" % (number, why), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
