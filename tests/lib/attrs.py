#!/usr/bin/env python3
"""The attributes of a screen, a letter for each cell, and what letters mean.

usage: attrs.py <SCREEN

SCREEN is what `tmux capture-pane -e` gives.  A cell that looks like ordinary
text is a dot, others have letters in the order in which they come; behind the
screen each letter stands with its look: attributes, the color of the text, and
that of the background where it has one.

What does not show on a blank does not count there: where the terminal can
erase cells, ncurses may leave blanks that way, which takes fewer bytes.
"""
import re
import sys

NAMES = {1: 'bold', 2: 'dim', 3: 'italics', 4: 'underline', 5: 'blink',
         7: 'reverse'}


def color(n, codes):
    """The color that a code begins, or None: it is none."""
    if n in (38, 48):
        kind = codes.pop(0)
        return ' '.join([str(n)] + [codes.pop(0) for _ in
                                    range(1 if kind == '5' else 3)])
    return str(n) if 30 <= n <= 49 or 90 <= n <= 107 else None


def change(look, text):
    """What an escape sequence makes of (attributes, text, background)."""
    attrs, fore, back = look
    codes = text.split(';')
    while codes:
        n = int(codes.pop(0) or 0)
        seen = color(n, codes)
        if n == 0:
            attrs, fore, back = frozenset(), '', ''
        elif n in NAMES:
            attrs = attrs | {NAMES[n]}
        elif n == 22:
            attrs = attrs - {'bold', 'dim'}
        elif n in (23, 24, 25, 27):
            attrs = attrs - {NAMES[n - 20]}
        elif n in (39, 49):
            fore, back = (fore if n == 49 else '', back if n == 39 else '')
        elif seen and (40 <= n <= 48 or n >= 100):
            back = 'on ' + seen
        elif seen:
            fore = seen
    return attrs, fore, back


def cell(look, sign, letters):
    """The letter of a cell that has this sign, or a dot."""
    attrs, fore, back = look
    if sign == ' ' and not back and not attrs & {'reverse', 'underline'}:
        return '.'
    if look == (frozenset(), '', ''):
        return '.'
    return letters.setdefault(look, chr(97 + len(letters)))


def main():
    look, letters = (frozenset(), '', ''), {}
    text = sys.stdin.buffer.read().decode('utf-8', 'replace')
    for line in text.split('\n')[:-1]:
        row = ''
        for piece in re.split('(\x1b\\[[0-9;]*m)', line.replace('\x0e', '')
                              .replace('\x0f', '')):
            if piece.startswith('\x1b'):
                look = change(look, piece[2:-1])
            else:
                row += ''.join(cell(look, sign, letters) for sign in piece)
        print(row.rstrip('.'))
    for (attrs, fore, back), letter in letters.items():
        print(letter, '=', ' '.join(sorted(attrs) + [fore, back]).strip())


if __name__ == '__main__':
    main()
