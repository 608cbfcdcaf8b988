#!/usr/bin/env python3
"""Peers that keyvault's agent, or keyvault itself, meets and should not trust.

usage: agentpeer.py garbage SOCK     every oddity; prints what came back
       agentpeer.py crowd SOCK N     N that hold on with half a request
       agentpeer.py full SOCK NAME   ask, fill its buffer, and be gone
       agentpeer.py heir SOCK NAME   ask on the socket of one who has ended
       agentpeer.py many SOCK NAME CONNS EACH    so many proofs of TLS
       agentpeer.py stranger SOCK    ask for the status as another user
       agentpeer.py impostor SOCK READY  an agent of another user's
       agentpeer.py liar SOCK        an agent that says what it likes
       agentpeer.py manager SOCK COMMAND...  start it with an open socket
"""
import os
import socket
import struct
import sys

NOBODY = 65534


def dial(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    sock.settimeout(30)
    return sock


def frame(kind, body=b''):
    return struct.pack('>IB', 1 + len(body), kind) + body


def hear(sock):
    """How it goes on: "end", or the type of an answer."""
    try:
        got = sock.recv(65536)
    except ConnectionResetError:
        return 'end'
    return str(got[4]) if got else 'end'


def garbage(path):
    said = []
    for data in (b'\xff\xff\xff\xff', b'\0\0\0\0', b'\0\0\x40\x01',
                 b'GET / HTTP/1.1\r\n\r\n', frame(99), frame(2, b'x' * 9),
                 frame(9, struct.pack('>I', 0xffffffff)),
                 frame(4, b'\xff' * 4), frame(6, b'\0' * 13)):
        with dial(path) as sock:
            sock.sendall(data)
            said.append(hear(sock))
    with dial(path) as sock:  # many at once, and gone before the answers
        sock.sendall(frame(1) * 2000)
    print(' '.join(said))


def crowd(path, count):
    held = []
    for _ in range(count):
        sock = dial(path)
        sock.sendall(b'\0\0')
        held.append(sock)
    print('held', flush=True)
    with dial(path) as sock:
        sock.sendall(frame(1))
        print(hear(sock))


def string(data):
    return struct.pack('>I', len(data)) + data


def ask_tls(sock, name):
    proof = b' ' * 64 + b'TLS 1.3, server CertificateVerify\0' + b'x' * 32
    sock.sendall(frame(10, string(name.encode()) + string(proof)))


def full(path, name):
    with dial(path) as sock:
        ask_tls(sock, name)
        print(hear(sock))
        try:
            sock.settimeout(1)
            sock.sendall(bytes(40000))
        except OSError:
            pass  # it does not take all of it


def heir(path, name):
    with dial(path) as sock:
        sock.sendall(frame(1))
        hear(sock)  # the agent knows by now who has dialed
        parent = os.getpid()
        if os.fork() != 0:
            os._exit(0)
        # Gone for good: who is not buried yet still has a number.
        while os.path.exists('/proc/%d' % parent):
            os.sched_yield()
        ask_tls(sock, name)
        hear(sock)
        hear(sock)


def many(path, name, conns, each):
    socks = [dial(path) for _ in range(int(conns))]
    for _ in range(int(each)):
        for sock in socks:
            ask_tls(sock, name)
        for sock in socks:
            if hear(sock) != '128':
                sys.exit('refused')


def as_nobody(path):
    os.chdir(os.path.dirname(path))
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    return os.path.basename(path)


def stranger(path):
    with dial(as_nobody(path)) as sock:
        try:
            sock.sendall(frame(1))
        except BrokenPipeError:
            pass
        print(hear(sock))


def impostor(path, ready):
    sock = socket.socket(socket.AF_UNIX)
    mark = os.open(ready, os.O_CREAT | os.O_WRONLY)
    sock.bind(as_nobody(path))
    sock.listen()
    os.write(mark, b'ready\n')
    sock.settimeout(60)
    peer, _ = sock.accept()
    print(peer.recv(4096) or 'nothing')


def liar(path):
    asked = struct.pack('>I', 7) + string(b'key\x1b[31m\nred') + string(
        b'a \x07 bell') + string(b'\xff\xfe\xc2\x9b5m') + struct.pack('>Q', 60000)
    answers = {4: frame(128), 5: frame(128, asked),
               6: frame(129, string(b'EDENIED') + string(b'no \x1b[2J way'))}
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen()
    peer, _ = sock.accept()
    while True:
        got = peer.recv(4096)
        if not got:
            return
        peer.sendall(answers.get(got[4], frame(129)))


def yes_man(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen()
    sock.settimeout(60)
    peer, _ = sock.accept()
    while peer.recv(4096):
        peer.sendall(frame(128))


def manager(path, *command):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen()
    if sock.fileno() != 3:
        os.dup2(sock.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
    os.execv(command[0], command)


if __name__ == '__main__':
    what, args = sys.argv[1], sys.argv[2:]
    if what == 'crowd':
        crowd(args[0], int(args[1]))
    elif what == 'manager':
        manager(*args)
    else:
        {'garbage': garbage, 'full': full, 'heir': heir, 'many': many, 'stranger': stranger,
         'impostor': impostor, 'liar': liar, 'yes_man': yes_man}[what](*args)
