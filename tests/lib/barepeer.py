#!/usr/bin/env python3
"""A server that says nothing about itself: it has no "_." methods.

usage: barepeer.py    where it listens is printed as rpcd does; what is called
                      "tell" comes back, and no other method is known
"""
import socket
import sys
import threading

sys.dont_write_bytecode = True  # the tree stays as it is
import filepeer
import godec

ANSWER, UNKNOWN = 101, 104


def serve(sock):
    stream = sock.makefile("rb")
    while (got := godec.read_frame(stream)) is not None:
        hdr = got["hdr"]
        name = hdr.get("ToServiceName_zid03_str")
        kind = ANSWER if name == "tell" else UNKNOWN
        payload = bytes.fromhex(got["payload"]) if kind == ANSWER else b""
        sock.sendall(filepeer.frame(kind, 0, payload, None, "",
                                    hdr["Seqno_zid09_u64"], "",
                                    hdr["CallID_zid11_str"]))


def main():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print("listening tcp 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


main()
