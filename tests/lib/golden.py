#!/usr/bin/env python3
"""Compare a screen of rpctui with its golden file, or write that anew.

usage: golden.py FILE COLUMNS LINES [--write] [NAME=FINGERPRINT]... <SCREEN

What differs from run to run has a placeholder of the same width: times,
ports, ages, rates, how many connections, and the letters of the fingerprints that are named. What
is known of a row, rates and the log are left out, and the message when it
tells a time. Differences are shown; status 0 means that there are none.
"""
import difflib
import re
import sys

AGE = r'(?:\d+[smhd]|\d+h\d\dm|\d+d\d\dh)'
SIZE = r'[\d.]+[KMGTPE]?'
WIDE = 100
DETAIL_ROWS = 7
RATE_AND_LOG_ROWS = 9


def kept_width(line, match, text):
    """The line with other text there; what is behind it stays in its column
    as far as the longest gap allows."""
    rest = line[match.end():]
    gaps = [(len(g.group()), g) for g in re.finditer(' {2,}', rest)]
    grows = len(text) - (match.end() - match.start())
    if gaps and grows != 0:
        size, gap = max(gaps, key=lambda pair: pair[0])
        size = max(size - grows, 1)
        rest = rest[:gap.start()] + ' ' * size + rest[gap.end():]
    return line[:match.start()] + text + rest


def put(line, pattern, text):
    match = re.search(pattern, line)
    return kept_width(line, match, text) if match else line


def title(line):
    # An age of a letter more may have no room.
    if len(line) <= 80 and re.search('OFFLINE|LOCKED', line):
        line = re.sub(r'  up ' + AGE, '', line)
        return re.sub(r' +(?=[0-9a-z:]*Z *$)', ' ', line)
    line = put(line, r'(?<= up )' + AGE, 'AGE')
    line = re.sub(r'(?<=conns )\d', 'N', line)
    line = put(line, r'(?<= rx )' + SIZE + '/s', 'RX/s')
    line = put(line, r'(?<=  tx )' + SIZE + '/s', 'TX/s')
    return line


def row(line):
    """Of a connection: its age and rates, each in its column."""
    return re.sub(
        r'( +' + AGE + r')( +(?:' + SIZE + r'|-))( +(?:' + SIZE +
        r'|-))( +(?:\d+|-))(?=\s*(?:│|$))',
        lambda m: 'age'.rjust(len(m.group(1))) + 'rx'.rjust(len(m.group(2))) +
        'tx'.rjust(len(m.group(3))) + m.group(4), line)


def call(line):
    """Of one that runs, how long it does and may; of a method, what it took."""
    if re.match(r'[> ] \S+\.(put|get) .*@', line):
        line = re.sub(r' +' + AGE + r'(?= |$)',
                      lambda m: 'age'.rjust(len(m.group())), line)
    return re.sub(r' \d[\d.]*[mu]?s(?= |$)',
                  lambda m: 'took'.rjust(len(m.group())), line) \
        if re.match(r'  \S+  +\d+  +\d+  +\d+ ', line) else line


def narrow_row(line):
    return re.sub(r'(?<=  )( *' + SIZE + r')( +' + SIZE + r')(?= *$)',
                  lambda m: 'rx'.rjust(len(m.group(1))) +
                  'tx'.rjust(len(m.group(2))), line)


def fingerprints(text, keys):
    """Group n of four letters of NAME becomes its first two letters and n."""
    for name, fp in keys:
        letters = fp.split(':', 1)[1]
        text = text.replace(letters, (name.upper() * 11)[:len(letters)])
        groups = [letters[i:i + 4] for i in range(0, len(letters), 4)]
        for i, group in enumerate(groups[:-1]):
            text = re.sub(r'(?<![A-Za-z0-9+/])' + re.escape(group) +
                          r'(?![A-Za-z0-9+/])', f'{name.upper()[:2]}{i:02}',
                          text)
        # Three letters may be a word of their own.
        text = re.sub(r'(?<=' + name.upper()[:2] + r'09 )' +
                      re.escape(groups[-1]), (2 * name.upper())[:3], text)
    return text


def times(text):
    text = re.sub(r'(?<=ends )\d{4}-\d\d-\d\d \(-?\d+ d\)(?:, \S+ old)?',
                  lambda m: 'WHEN'.ljust(len(m.group())), text)
    text = re.sub(r'\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ',
                  'YYYY-MM-DDThh:mm:ssZ', text)
    # A day, when that is not today's.
    text = re.sub(r'\b(?:\d\d:\d\d:\d\dZ(?= |$)|\d{4}-\d\d-\d\d(?= |$))',
                  lambda m: 'hh:mm:ssZ'.ljust(len(m.group())), text)
    text = re.sub(r'\b\d\d:\d\d:\d\d(?!\d)', 'hh:mm:ss', text)
    text = re.sub(r'(?<=since )\d{4}-\d\d-\d\d(?=,)', 'YYYY-MM-DD', text)
    text = re.sub(r'(?<=came )\d+(?= times)', lambda m: 'N' * len(m.group()),
                  text)
    # How often a known key came is told when the list is looked at again.
    text = re.sub(r'(?m)^(?=[> ] ok )(.* )(\d+)(?= hh:mm:ssZ)',
                  lambda m: m.group(1) + 'N'.rjust(len(m.group(2))), text)
    # Ten words of a key, five a line.
    text = re.sub(r'(?<=│ )(words +)?( +)?[A-Za-z]+( [A-Za-z]+){4} *(?=│)',
                  lambda m: ('words' if m.group(1) else '').ljust(8) +
                  'WORDS'.ljust(len(m.group()) - 8)
                  if m.group(1) or m.group(2) else m.group(), text)
    return re.sub(r'(?<=127\.0\.0\.1:)\d+', lambda m: 'P' * len(m.group()), text)


def dialog(lines):
    """The lines of a dialog, and from where to where it is; or nothing."""
    for i, line in enumerate(lines):
        left, right = line.find('┌'), line.rfind('┐')
        if 0 <= left < right:
            j = i
            while j < len(lines) and lines[j][left:left + 1] != '└':
                j += 1
            return range(i, j + 1), left, right
    return range(0), 0, 0


def leave_out(lines, cols, top, bottom):
    """Of the body what is known of the row, rates, and the log; and what is
    behind a dialog."""
    boxed, left, right = dialog(lines)
    below = bottom - (RATE_AND_LOG_ROWS if cols >= WIDE else DETAIL_ROWS)
    for i in range(top, bottom):
        if i in boxed:
            lines[i] = ' ' * left + lines[i][left:right + 1]
        elif i >= below:
            lines[i] = ':'
        elif cols >= WIDE and '│' in lines[i]:
            lines[i] = lines[i][:lines[i].index('│') + 1] + ' ...'


def normal(text, cols, rows, keys):
    lines = times(fingerprints(text, keys)).split('\n')[:rows]
    narrow = cols < 72
    lines = [put(line, r'(?<=rpckit CA )\S+', 'HOST') for line in lines]
    lines[0] = title(lines[0])
    # Those that have just ended are among them for a while.
    lines[1] = re.sub(r'(?<=1 Conns )\d', 'N', lines[1])
    body = range(2 if narrow else 3, rows - (2 if narrow else 3))
    for i in body:
        lines[i] = call(narrow_row(lines[i]) if narrow else row(lines[i]))
    if not narrow:
        leave_out(lines, cols, body[0], body[-1] + 1)
    if 'OFFLINE' in lines[0] or re.search(r'u takes|u undo \(', lines[rows - 2]):
        lines[rows - 2] = ''
    return [line.rstrip() for line in lines]


def main(argv):
    path, cols, rows = argv[1], int(argv[2]), int(argv[3])
    keys = [word.split('=', 1) for word in argv[4:] if '=' in word]
    text = sys.stdin.buffer.read().decode('utf-8', 'replace')
    got = normal(text, cols, rows, keys)
    if '--write' in argv:
        with open(path, 'w', encoding='utf-8') as file:
            file.write('\n'.join(got) + '\n')
        return 0
    try:
        with open(path, encoding='utf-8') as file:
            want = file.read().split('\n')[:-1]
    except FileNotFoundError:
        want = []
    diff = list(difflib.unified_diff(want, got, path, 'screen', lineterm=''))
    sys.stdout.buffer.write('\n'.join(diff + ['']).encode()
                            if diff else b'')
    return 1 if diff else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
