#!/usr/bin/env python3
"""Handshakes and records of the PSK layer, by an implementation of its own.

usage: pskvectors.py >tests/vectors/psk/handshakes.txt

Written from man/rpckit-psk.7, the Noise framework and the RFCs 5869, 7748,
8032 and 8439 alone; nothing but Python's integers, hashlib and hmac.  Every
secret is derived from a label, so that the output is always the same.
"""

import hashlib
import hmac
import sys

# ---- X25519 (RFC 7748) and Ed25519 (RFC 8032) ----

P = 2**255 - 19
A24 = 121665


def clamp(k):
    n = int.from_bytes(k, 'little')
    n &= ~7 & ((1 << 255) - 1)
    return n | (1 << 254)


def x25519(k, u):
    k, x1 = clamp(k), int.from_bytes(u, 'little') & ((1 << 255) - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + A24 * e) % P
    if swap:
        x2, x3, z2, z3 = x3, x2, z3, z2
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, 'little')


def x25519_public(k):
    return x25519(k, (9).to_bytes(32, 'little'))


L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def edwards_add(p, q):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = p, q
    a, b = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def edwards_mul(n, p):
    q = (0, 1, 1, 0)
    while n:
        if n & 1:
            q = edwards_add(q, p)
        p = edwards_add(p, p)
        n >>= 1
    return q


def base_point():
    y = 4 * pow(5, P - 2, P) % P
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x & 1:
        x = P - x
    return x, y, 1, x * y % P


BASE = base_point()


def edwards_bytes(p):
    zi = pow(p[2], P - 2, P)
    x, y = p[0] * zi % P, p[1] * zi % P
    return (y | (x & 1) << 255).to_bytes(32, 'little')


def ed25519(seed, msg):
    h = hashlib.sha512(seed).digest()
    a = clamp(h[:32])
    pub = edwards_bytes(edwards_mul(a, BASE))
    if msg is None:
        return pub
    r = int.from_bytes(hashlib.sha512(h[32:] + msg).digest(), 'little') % L
    big_r = edwards_bytes(edwards_mul(r, BASE))
    k = int.from_bytes(hashlib.sha512(big_r + pub + msg).digest(), 'little')
    return big_r + ((r + k * a) % L).to_bytes(32, 'little')


# ---- ChaCha20-Poly1305 (RFC 8439) ----

def rotl(v, n):
    return (v << n & 0xffffffff) | v >> (32 - n)


def quarter(s, a, b, c, d):
    for x, y, z, n in ((a, b, d, 16), (c, d, b, 12),
                       (a, b, d, 8), (c, d, b, 7)):
        s[x] = s[x] + s[y] & 0xffffffff
        s[z] = rotl(s[z] ^ s[x], n)


def chacha_block(key, counter, nonce):
    words = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]
    words += [int.from_bytes(key[i:i + 4], 'little') for i in range(0, 32, 4)]
    words += [counter]
    words += [int.from_bytes(nonce[i:i + 4], 'little') for i in (0, 4, 8)]
    s = list(words)
    for _ in range(10):
        for i in range(4):
            quarter(s, i, i + 4, i + 8, i + 12)
        for i in range(4):
            quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return b''.join((a + b & 0xffffffff).to_bytes(4, 'little')
                    for a, b in zip(s, words))


def poly1305(key, msg):
    r = int.from_bytes(key[:16], 'little') & 0x0ffffffc0ffffffc0ffffffc0fffffff
    acc = 0
    for i in range(0, len(msg), 16):
        acc = (acc + int.from_bytes(msg[i:i + 16] + b'\1', 'little')) * r
        acc %= 2**130 - 5
    acc += int.from_bytes(key[16:], 'little')
    return (acc & (2**128 - 1)).to_bytes(16, 'little')


def pad16(b):
    return b + bytes(-len(b) % 16)


def seal(key, counter, ad, msg):
    nonce = bytes(4) + counter.to_bytes(8, 'little')
    stream = b''.join(chacha_block(key, 1 + i, nonce)
                      for i in range((len(msg) + 63) // 64))
    out = bytes(a ^ b for a, b in zip(msg, stream))
    mac = pad16(ad) + pad16(out) + len(ad).to_bytes(8, 'little') + \
        len(out).to_bytes(8, 'little')
    return out + poly1305(chacha_block(key, 0, nonce)[:32], mac)


def rekey(key):
    return seal(key, 2**64 - 1, b'', bytes(32))[:32]


# ---- Noise ----

def hkdf(chain, data, n):
    temp = hmac.new(chain, data, 'sha256').digest()
    out, last = [], b''
    for i in range(n):
        last = hmac.new(temp, last + bytes([i + 1]), 'sha256').digest()
        out.append(last)
    return out


class Symmetric:
    """What both ends have the same of, so that one stands for both."""

    def __init__(self, prologue, psk):
        name = b'Noise_NNpsk0_25519_ChaChaPoly_SHA256'
        self.h = self.chain = hashlib.sha256(name).digest()
        self.mix_hash(prologue)
        self.chain, t, self.key = hkdf(self.chain, psk, 3)
        self.mix_hash(t)
        self.n = 0

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def mix_key(self, data):
        self.chain, self.key = hkdf(self.chain, data, 2)
        self.n = 0

    def mix_public(self, pub):
        self.mix_hash(pub)
        self.mix_key(pub)

    def seal(self, msg):
        out = seal(self.key, self.n, self.h, msg)
        self.n += 1
        self.mix_hash(out)
        return out


# ---- a certificate that is just enough of one ----

def der(tag, *parts):
    body = b''.join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = (len(body).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(body).to_bytes(size, 'big') + body


ED25519 = der(0x30, bytes.fromhex('06032b6570'))


def certificate(seed, name):
    cn = der(0x30, der(0x31, der(0x30, bytes.fromhex('0603550403'),
                                 der(0x0c, name.encode()))))
    dates = der(0x30, der(0x17, b'200101000000Z'), der(0x18, b'99991231235959Z'))
    key = der(0x30, ED25519, der(0x03, b'\0' + ed25519(seed, None)))
    body = der(0x30, der(0xa0, bytes.fromhex('020102')),
               bytes.fromhex('020101'), ED25519, cn, dates, cn, key)
    return der(0x30, body, ED25519, der(0x03, b'\0' + ed25519(seed, body)))


# ---- the layer ----

MAGIC = b'rkpsk\0\0\1'


def proof(server, seed, cert, h):
    if not cert:
        return bytes(2)
    who = b'server' if server else b'client'
    text = b' ' * 64 + b'rpckit psk 1, ' + who + b' certificate\0' + h + \
        hashlib.sha256(cert).digest()
    return len(cert).to_bytes(2, 'big') + cert + ed25519(seed, text)


class Direction:
    def __init__(self, key):
        self.key, self.n = key, 0

    def short(self, msg):
        head = (len(msg) + 16).to_bytes(2, 'big')
        out = seal(self.key, self.n, head, msg)
        self.n += 1
        return head + out

    def record(self, msg):
        if self.n and self.n % 65536 == 0:
            self.key = rekey(self.key)
        head = (len(msg) + 16).to_bytes(8, 'big')
        out = seal(self.key, self.n, head, msg)
        self.n += 1
        return head + out


def secret(label):
    return hashlib.sha256(b'rpckit psk vector ' + label.encode()).digest()


def show(name, value):
    print(name, value.hex() if isinstance(value, bytes) else value)


def one(name, outer, client_shows, server_shows):
    psk = secret(name + ' psk')
    seeds = [secret(name + who) for who in (' client key', ' server key')]
    certs = [certificate(seeds[0], 'client') if client_shows else b'',
             certificate(seeds[1], 'server') if server_shows else b'']
    e = [secret(name + who) for who in (' client e', ' server e')]
    ident = hashlib.sha256(b'rpckit psk id\0' + psk).digest()[:4]
    prologue = b'rpckit psk 1\0' + ident
    prologue += b'tls-exporter\0' + outer if outer else b'plain\0'

    s = Symmetric(prologue, psk)
    pub = [x25519_public(k) for k in e]
    s.mix_public(pub[0])
    first = MAGIC + ident + pub[0] + s.seal(b'')
    s.mix_public(pub[1])
    s.mix_key(x25519(e[0], pub[1]))
    sealed = s.seal(proof(True, seeds[1], certs[1], s.h))
    second = (32 + len(sealed)).to_bytes(2, 'big') + pub[1] + sealed
    up, down = [Direction(k) for k in hkdf(s.chain, b'', 2)]
    third = up.short(b'\0' + proof(False, seeds[0], certs[0], s.h))
    fourth = down.short(b'\0')

    show('handshake', name)
    show('psk', psk)
    show('outer', outer)
    for i, who in enumerate(('client', 'server')):
        show(who + '-seed', seeds[i])
        show(who + '-cert', certs[i])
        show(who + '-ephemeral', e[i])
    for n, msg in enumerate((first, second, third, fourth)):
        show('message-%d' % (n + 1), msg)
    show('hash', s.h)
    show('up-key', up.key)
    show('down-key', down.key)
    for way, d in (('up', up), ('down', down)):
        for text in (b'x', b'', secret(way) * 3):
            show(way + '-plain', text)
            show(way + '-record', d.record(text))
    # Around the change of keys.
    up.n = 65535
    for text in (b'before', b'behind'):
        show('late-plain', text)
        show('late-record', up.record(text))
    print()


def main():
    if len(sys.argv) != 1:
        sys.exit(__doc__.strip().splitlines()[2])
    one('plain', b'', True, True)
    one('tls', secret('exporter'), True, True)
    one('server only', secret('exporter 2'), False, True)
    one('nobody', b'', False, False)


if __name__ == '__main__':
    main()
