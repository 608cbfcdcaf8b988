#!/usr/bin/env python3
"""Handshakes and packets of sessions, by an implementation of its own.

usage: sessvectors.py >tests/vectors/session/sessions.txt
       sessvectors.py knocks >tests/vectors/session/knocks.txt

Written from man/rpckit-session.7 and the Noise framework alone, on the ciphers
of pskvectors.py, which are Python's integers, hashlib and hmac.  Every secret
is derived from a label, so that the output is always the same.
"""

import hashlib
import sys

sys.dont_write_bytecode = True

import pskvectors as base  # noqa: E402


def secret(label):
    return hashlib.sha256(b'rpckit session vector ' + label.encode()).digest()


def hkdf(ikm, salt, info, length):
    """RFC 5869, with an info."""
    prk = base.hmac.new(salt, ikm, 'sha256').digest()
    out, last = b'', b''
    while len(out) < length:
        n = bytes([len(out) // 32 + 1])
        last = base.hmac.new(prk, last + info + n, 'sha256').digest()
        out += last
    return out[:length]


class Noise:
    """NN or NNpsk0; both ends have the same, so that one stands for both."""

    def __init__(self, prologue, psk):
        name = b'Noise_NNpsk0_25519_ChaChaPoly_SHA256' if psk else \
            b'Noise_NN_25519_ChaChaPoly_SHA256'
        self.h = name.ljust(32, b'\0') if len(name) <= 32 else \
            hashlib.sha256(name).digest()
        self.chain, self.key, self.n, self.psk = self.h, None, 0, psk
        self.mix_hash(prologue)
        if psk:
            self.chain, t, self.key = base.hkdf(self.chain, psk, 3)
            self.mix_hash(t)

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def mix_key(self, data):
        self.chain, self.key = base.hkdf(self.chain, data, 2)
        self.n = 0

    def ephemeral(self, pub):
        self.mix_hash(pub)
        if self.psk:
            self.mix_key(pub)

    def payload(self, msg):
        out = msg
        if self.key:
            out = base.seal(self.key, self.n, self.h, msg)
            self.n += 1
        self.mix_hash(out)
        return out


def proof(who, seed, h):
    pub = base.ed25519(seed, None)
    text = b' ' * 64 + b'rpckit session 1, ' + who + b'\0' + h + pub
    return pub + base.ed25519(seed, text)


def item(kind, content):
    return bytes([kind]) + len(content).to_bytes(3, 'big') + content


class Direction:
    """Packets of one direction, without the length before them."""

    def __init__(self, datagrams, key):
        self.datagrams, self.key, self.n, self.epoch = datagrams, key, 0, 0

    def packet(self, text):
        head = bytes([0, self.epoch & 255])
        if self.datagrams:
            head += self.n.to_bytes(8, 'big')
        out = head + base.seal(self.key, self.n, head, text)
        self.n += 1
        return out

    def change(self, key):
        self.key, self.epoch = key, self.epoch + 1
        if self.datagrams:
            self.n = 0


def show(name, value):
    print(name, value.hex() if isinstance(value, bytes) else value)


def one(name, datagrams, psk):
    seeds = [secret(name + who) for who in (' initiator', ' responder')]
    e = [secret(name + who) for who in (' initiator e', ' responder e')]
    pub = [base.x25519_public(k) for k in e]
    ident = hashlib.sha256(b'rpckit psk id\0' + psk).digest()[:4] if psk \
        else bytes(4)
    flag = bytes([1 if psk else 0])

    noise = Noise(b'rpckit session 1\0' + (b'd' if datagrams else b'p') +
                  flag + ident, psk)
    noise.ephemeral(pub[0])
    hello = b'rksess\1h' + flag + ident + pub[0] + noise.payload(bytes(160))
    noise.ephemeral(pub[1])
    noise.mix_key(base.x25519(e[0], pub[1]))
    answer = b'rksess\1a' + pub[1] + \
        noise.payload(proof(b'responder', seeds[1], noise.h))
    keys = base.hkdf(noise.chain, b'', 2)
    chain = hkdf(keys[0] + keys[1], noise.h, b'rpckit session 1, chain\0', 32)
    up, down = [Direction(datagrams, k) for k in keys]

    show('session', name)
    show('psk', psk)
    show('datagrams', bytes([datagrams]))
    show('initiator-seed', seeds[0])
    show('responder-seed', seeds[1])
    show('initiator-ephemeral', e[0])
    show('responder-ephemeral', e[1])
    show('hello', hello)
    show('answer', answer)
    show('hash', noise.h)
    show('chain', chain)
    show('up-key', keys[0])
    show('down-key', keys[1])

    def say(way, direction, text):
        show(way + '-text', text)
        show(way + '-packet', direction.packet(text))

    say('up', up, item(1, proof(b'initiator', seeds[0], noise.h)))
    say('down', down, item(2, b''))
    say('up', up, item(6, b'stream') + item(9, b'\1\2message') +
        item(9, b'\0\0'))
    say('down', down, item(10, b'\0\7' + secret('part') * 60))

    fresh = [secret(name + who) for who in (' next i', ' next r')]
    number = (1).to_bytes(4, 'big')
    say('up', up, item(3, number + base.x25519_public(fresh[0])))
    say('down', down, item(4, number + base.x25519_public(fresh[1])))
    out = hkdf(chain + base.x25519(fresh[0], base.x25519_public(fresh[1])),
               noise.h, b'rpckit session 1, keys\0' + number, 96)
    up.change(out[32:64])
    down.change(out[64:])
    show('next-secret', fresh[0])
    show('next-chain', out[:32])
    say('up', up, item(6, b''))
    say('down', down, item(6, b'of the next epoch'))
    say('up', up, item(5, b'\0'))
    print()


def knock(label, psk, now):
    nonce = secret(label)[:8]
    out = b'rksudp\1k' + nonce
    if psk:
        ident = hashlib.sha256(b'rpckit psk id\0' + psk).digest()[:4]
        out = (out + b'\1' + ident + (now % 2**32).to_bytes(4, 'big')).ljust(
            48, b'\0')
        key = hkdf(psk, b'', b'rpckit session 1, knock\0', 32)
        out += base.hmac.new(key, out, 'sha256').digest()[:16]
    show('knock', label)
    show('psk', psk)
    show('time', now.to_bytes(8, 'big'))
    show('nonce', nonce)
    show('datagram', out.ljust(64, b'\0'))
    print()


def knocks():
    knock('stranger', b'', 1700000030)
    for i in range(3):
        knock('known %d' % i, secret('psk %d' % i), 1700000030 + 2**31 * i)


def main():
    if sys.argv[1:] == ['knocks']:
        knocks()
        return
    if len(sys.argv) != 1:
        sys.exit('\n'.join(__doc__.strip().splitlines()[2:4]))
    for datagrams in (False, True):
        for psk in (b'', secret('psk')):
            one(('datagrams' if datagrams else 'pipe') +
                (' with psk' if psk else ''), datagrams, psk)


main()
