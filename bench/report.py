"""The table of `make bench`: as text, as JSON, and between the markers of docs/performance.md."""
import json
import os
import re

from machine import OUT, ROOT

COLUMNS = ('What', 'Ratio', 'Measured', 'Goal', 'Holds')
BEGIN, END = '<!-- bench: begin -->', '<!-- bench: end -->'


def rate(r):
    return f'{r["rate"]:,.0f}/s, p50 {r["p50_us"] / 1000:.2f} ms, p99 {r["p99_us"] / 1000:.2f} ms, {r["cpu_us"]:.1f} µs CPU'


def cells(row):
    holds = {True: 'yes', False: 'no'}.get(row.get('holds'), '') if row.get('goal') or row.get('holds') is False else ''
    return row['name'], row.get('ratio') or '', row['measured'], row.get('goal') or '', holds


def machine_line(result):
    return (f'{result["date"]}, {result["cores"]} × {result["cpu"]}, {result["memory_gib"]} GiB, {result["system"]}, Linux {result["kernel"]}, '
            f'{result["filesystem"]}; {result["seconds"]} s in all')


def notes(result):
    return [f'Proved: {p}.' for p in result['proofs']] + [f'Warning: {w}.' for w in result['warnings']]


def text(result):
    table = [COLUMNS, *map(cells, result['rows'])]
    widths = [max(len(line[i]) for line in table) for i in range(len(COLUMNS))]
    lines = ['  '.join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table]
    return '\n'.join(['', 'Cloudless benchmarks: ' + machine_line(result), '', lines[0], '-' * len(lines[0]), *lines[1:], '', *notes(result)])


def markdown(result):
    line = '| ' + ' | '.join(['{}'] * len(COLUMNS)) + ' |'
    return '\n'.join([machine_line(result) + '.', '', line.format(*COLUMNS), '|' + '---|' * len(COLUMNS),
                      *(line.format(*cells(row)) for row in result['rows']), '', *(f'- {note}' for note in notes(result))])


def write_json(result):
    with open(os.path.join(OUT, 'bench.json'), 'w') as f:
        json.dump(result, f, indent=1, ensure_ascii=False)
        f.write('\n')


def write_docs(result):
    path = os.path.join(ROOT, 'docs', 'performance.md')
    with open(path) as f:
        page = f.read()
    page, found = re.subn(f'{BEGIN}.*?{END}', lambda _: f'{BEGIN}\n{markdown(result)}\n{END}', page, flags=re.S)
    if found != 1:
        raise SystemExit(f'bench: {path} has no place for the table')
    with open(path, 'w') as f:
        f.write(page)
