#!/usr/bin/env python3
"""Where secrets lie in a process's memory, and in what it wrote.

usage: secretpeer.py stalled SOCK NAME SECRET PID
           ask the agent PID for a gift, do not read it, look
       secretpeer.py full SECRET COMMAND...
           look while it cannot go on writing to its standard output
       secretpeer.py fed SECRET COMMAND...
           look when it has read SECRET and waits for more of its input
       secretpeer.py ready SECRET COMMAND...
           look when it has said something, and then end its input
       secretpeer.py unlocked SOCK STATUS COMMAND...
           be an agent that does not answer, and look for the key it is given
       secretpeer.py written TRACE SECRETS...
           look into the writes of a trace by strace -xx

SECRET is a file.  "lost" where the kernel lets nobody look; else each kind of
page that it was found in: "guarded" (locked, and in no core file), "open".
"ready" says "none" where it was in none.
With LOCKED=no in the environment what is in no core file is guarded.
"""
import array
import fcntl
import os
import re
import socket
import struct
import subprocess
import sys
import termios
import time

F_SETPIPE_SZ = 1031
TURNS = 400
# As /proc tells them, of x86-64; elsewhere nobody knows when to look.
SYS_READ, SYS_WRITE = 0, 1
locked = os.environ.get('LOCKED') != 'no'


def until(what):
    for _ in range(TURNS):
        if what():
            return
        time.sleep(0.05)
    sys.exit('waited in vain')


def areas(pid):
    """Start, end and flags of what may be read and written."""
    low = high = 0
    with open('/proc/%d/smaps' % pid) as f:
        for line in f:
            if re.match('[0-9a-f]+-[0-9a-f]+ ', line):
                low, high = (int(n, 16) for n in
                             line.split()[0].split('-'))
                readable = line.split()[1][0] == 'r'
            elif line.startswith('Rss:'):
                resident = int(line.split()[1])
            elif line.startswith('VmFlags:') and readable and resident and \
                    high - low <= 1 << 28:
                yield low, high, line.split()[1:]


def look(pid, secret):
    found = set()
    try:
        with open('/proc/%d/mem' % pid, 'rb', 0) as mem:
            for low, high, flags in list(areas(pid)):
                try:
                    mem.seek(low)
                    data = mem.read(high - low)
                except (OSError, ValueError):
                    continue
                if secret in data:
                    safe = 'dd' in flags and ('lo' in flags or not locked)
                    found.add('guarded' if safe else 'open')
    except PermissionError:
        found = {'lost'}
    return ' '.join(sorted(found))


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def queued(fd):
    n = array.array('i', [0])
    fcntl.ioctl(fd, termios.FIONREAD, n)
    return n[0]


def string(data):
    return struct.pack('>I', len(data)) + data


def frame(kind, body=b''):
    return struct.pack('>IB', 1 + len(body), kind) + body


def stalled(path, name, secret, pid):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        # One at a time, until the rest of one waits in the agent.
        end = read(secret)[-64:]
        where = ''
        for _ in range(40):
            before = queued(sock.fileno())
            sock.sendall(frame(12, string(name.encode()) + b'\2'))
            for _ in range(20):
                if queued(sock.fileno()) > before:
                    break
                time.sleep(0.02)
            else:
                where = look(int(pid), end)
            if where:
                break
        print(where)


def waits(child, fd, how):
    """In that call, or it has ended."""
    def is_there():
        if child.poll() is not None:
            return True
        with open('/proc/%d/syscall' % child.pid) as f:
            return f.read().startswith('%d 0x%x ' % (how, fd))
    until(is_there)


def full(secret, *command):
    ours, its = os.pipe()
    os.write(its, b'x' * fcntl.fcntl(ours, F_SETPIPE_SZ, 4096))
    with subprocess.Popen(command, stdout=its) as child:
        os.close(its)
        waits(child, 1, SYS_WRITE)
        print(look(child.pid, read(secret)))
        while os.read(ours, 65536):
            pass
    os.close(ours)


def fed(secret, *command):
    with subprocess.Popen(command, stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL) as child:
        child.stdin.write(read(secret))
        child.stdin.flush()
        until(lambda: queued(child.stdin.fileno()) == 0)
        waits(child, 0, SYS_READ)
        print(look(child.pid, read(secret)))
        child.stdin.close()


def ready(secret, *command):
    with subprocess.Popen(command, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as child:
        child.stdout.read(1)
        print(look(child.pid, read(secret)) or 'none')
        child.stdin.close()


def unlocked(path, status, *command):
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        os.chmod(path, 0o600)
        door.listen(1)
        with subprocess.Popen(command) as child:
            sock, _ = door.accept()
            got = b''
            while got[4:5] != b'\2':
                got = sock.recv(65536)
                if got[4:5] == b'\1':
                    sock.sendall(read(status))
            key = got[5 + 4 + 16 + 4:][:32]
            print(look(child.pid, key))
            sock.close()


def written(trace, *secrets):
    """Were there any, and the names of the secrets in them."""
    wanted = {name: read(name).strip() for name in secrets}
    found = set()
    writes = 0
    with open(trace, 'rb') as f:
        for line in f:
            writes += b'write' in line
            data = b''.join(
                bytes.fromhex(part.replace(b'\\x', b'').decode())
                for part in re.findall(rb'"((?:\\x[0-9a-f]{2})*)"', line))
            found |= {n for n, s in wanted.items() if s in data}
    print('%s %s' % ('some' if writes else 'no',
                     ' '.join(sorted(found))))


WAYS = {'stalled': stalled, 'full': full, 'fed': fed, 'ready': ready,
        'unlocked': unlocked, 'written': written}

if __name__ == '__main__':
    WAYS[sys.argv[1]](*sys.argv[2:])
