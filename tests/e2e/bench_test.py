"""`make bench`, everything once and short: it runs, its proofs hold, and its table says all that it promises."""
import json
import os
import subprocess
import sys

import pytest

import harness

pytestmark = pytest.mark.plain

ROWS = ['GetItem 1 KB', '· nginx, fixed 1 KB', 'GetItem 1 KB over TLS', 'Idle connection, plain', 'Idle connection, TLS', 'Query of 10 items', 'PutItem 300 B, durable', '· db_bench fillrandom, sync, 64 threads',
        'Warm invoke, direct, 1 connection', 'Warm invoke through the REST API, 4 connections', 'Ready after start',
        'Idle anonymous memory, a new data directory', 'Program, stripped',
        'C, an empty handler, through the REST API, 1 connection', 'C, one GetItem inside, through the REST API, 16 connections',
        'C, cold start with one GetItem', 'C, peak memory of a function with one GetItem']


@pytest.mark.skipif('san-' in harness.BINARY, reason='figures of a sanitizer build say nothing')
def test_benchmarks_run(tmp_path):
    run = subprocess.run([sys.executable, os.path.join(harness.ROOT, 'bench', 'run.py')], capture_output=True, text=True,
                         env={**os.environ, 'BENCH_SECONDS': '0.2', 'BENCH_OUT': str(tmp_path)})
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    result = json.loads((tmp_path / 'bench.json').read_text())
    rows = {row['name']: row for row in result['rows']}
    assert not set(ROWS) - set(rows)
    assert all(row['name'] in run.stdout for row in result['rows'])
    assert all(isinstance(row['holds'], bool) for row in result['rows'] if row.get('goal'))
    assert any('killed with -9' in proof for proof in result['proofs'])
    assert any('same port is refused' in proof for proof in result['proofs'])
