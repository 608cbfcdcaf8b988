#!/usr/bin/env python3
"""The modules of a QR code on a screen, by the colors of its cells.

usage: modules.py [--ascii] <SCREEN

SCREEN is what `tmux capture-pane -e -N` gives.  Rows of modules are printed as
L (light) and D (dark); the terminal's own colors are neither.  The last line
says "a code of N modules" where what is printed has a margin that is light, and
in three of its corners what a reader looks for.
"""
import re
import sys

sys.dont_write_bytecode = True  # the sources are nobody's to write to
from attrs import change  # noqa: E402

LIGHT = {'37', '47', '38 231', '48 231'}
DARK = {'30', '40', '38 232', '48 232'}
MARGIN = 2
FINDER = ['DDDDDDD', 'DLLLLLD', 'DLDDDLD', 'DLDDDLD', 'DLDDDLD', 'DLLLLLD',
          'DDDDDDD']


def module(color):
    """What a color is for a camera, or ?: who knows."""
    color = color.replace('on ', '')
    return 'L' if color in LIGHT else 'D' if color in DARK else '?'


def halves(look, sign):
    """The upper and the lower half of a cell."""
    attrs, fore, back = look
    if attrs:
        return '??'
    fore, back = module(fore), module(back)
    return {' ': back + back, '█': fore + fore, '▀': fore + back,
            '▄': back + fore,
            '#': fore * 2 if fore == back else '??'}.get(sign, '??')


def rows(text, ascii_only):
    """Rows of modules, with what else is on the screen as ?."""
    look = (frozenset(), '', '')
    for line in text.split('\n'):
        cells = []
        for piece in re.split('(\x1b\\[[0-9;]*m)', line):
            if piece.startswith('\x1b'):
                look = change(look, piece[2:-1])
            else:
                cells += [halves(look, sign) for sign in piece]
        while cells and cells[0] == '??':
            cells.pop(0)
        if ascii_only:
            pairs = [a[0] if a[0] == b[0] else '?'
                     for a, b in zip(cells[::2], cells[1::2])]
            yield ''.join(pairs)
        else:
            yield ''.join(c[0] for c in cells)
            yield ''.join(c[1] for c in cells)


def is_code(lines):
    """Is it one, with its margin?"""
    size = len(lines[0]) - 2 * MARGIN if lines else 0
    inner = [line[MARGIN:-MARGIN] for line in lines[MARGIN:MARGIN + size]]
    around = lines[:MARGIN] + lines[MARGIN + size:]
    if size < 21 or len(around) < 2 * MARGIN or \
            {len(line) for line in lines} != {size + 2 * MARGIN} or \
            set(''.join(around)) != {'L'} or \
            {line[:MARGIN] + line[-MARGIN:] for line in lines} != {'LLLL'} or \
            '?' in ''.join(inner):
        return False
    return [line[:7] for line in inner[:7]] == FINDER and \
        [line[-7:] for line in inner[:7]] == FINDER and \
        [line[:7] for line in inner[-7:]] == FINDER


def main():
    """All of it."""
    text = sys.stdin.buffer.read().decode('utf-8', 'replace')
    text = text.replace('\x0e', '').replace('\x0f', '')
    lines = [row.strip('?') for row in rows(text, '--ascii' in sys.argv[1:])]
    lines = [line for line in lines if line]
    for line in lines:
        print(line)
    if is_code(lines):
        print('a code of %d modules' % (len(lines[0]) - 2 * MARGIN))


if __name__ == '__main__':
    main()
