"""`make campaign`: what takes longer than `make test` may. CAMPAIGN_MINUTES (60) are shared out among the stages; building is not counted.
CAMPAIGN_STAGES='name;name' runs some, which have all of the time.

A stage takes its seconds, prints as it goes, and returns what it found: how many checks passed, how many failed, and a sentence of figures
for the table at the end, which docs/testing.md has of the last long run.
"""
import collections
import datetime
import glob
import json
import os
import re
import sys
import tempfile
import time

from run import ASAN, ASAN_BIN, PYTEST, ROOT, make, run

MINUTES = float(os.environ.get('CAMPAIGN_MINUTES', '60'))
CRASH_ROUNDS = 20           # of one data directory; then another begins
JOBS, JOBS_A_SECOND = 1_000_000, 3000
FUZZ_ROOT = os.path.join(ROOT, 'build/san-address-undefined-fuzzer-no-link/fuzz')

Found = collections.namedtuple('Found', 'passed failed figures')


def count(closing, kind):
    return sum(map(int, re.findall(rf'(\d+) {kind}', closing)))


def told(environment, command, pattern):
    """Runs it; exit status, the line that counts, and all that the output says by the pattern."""
    lines = []
    status, closing = run(environment, command, lines.append)
    return status, closing, re.findall(pattern, ''.join(lines))


def crash_rounds(seconds):
    until, passed, failed, rounds, written = time.monotonic() + seconds, 0, 0, 0, collections.Counter()
    while not failed and (rounds == 0 or time.monotonic() < until):
        status, closing, done = told({}, [*PYTEST, '-s', 'tests/crash/crash_test.py'], r'acknowledged in (\d+) rounds: (\{.*\})')
        passed, failed = passed + count(closing, 'passed'), failed + count(closing, '(?:failed|error)') + (status != 0 and not closing)
        for n, kinds in done:
            rounds += int(n)
            written.update(json.loads(kinds.replace("'", '"')))
    return Found(passed, failed, f'{rounds} times `kill -9`, {sum(written.values()):,} acknowledged writes of {len(written)} kinds, all there')


def faults(seconds):
    _, closing, figures = told({'FAULTS_SECONDS': str(seconds)}, [*PYTEST, '-s', 'tests/crash/faults_test.py'], r'faults (\{.*\})')
    total = collections.Counter()
    for each in figures:
        total.update(json.loads(each))
    return Found(count(closing, 'passed'), count(closing, '(?:failed|error)') + (not closing),
                 f'{total["rounds"]:,} rounds, {total["faults"]:,} faults; {total["steps"]:,} steps of a mixed load, {total["refused"]:,} refused; '
                 f'{total["ends"]:,} ends for want of memory')


def hostile(seconds):
    _, closing, figures = told({'HOSTILE_SECONDS': str(seconds)}, [*PYTEST, '-s', 'tests/crash/hostile_test.py'], r'hostile (\{.*\})')
    if not figures:
        return Found(0, 1, 'ended early')
    of = json.loads(figures[0])
    kinds = [kind for kind in of if isinstance(of[kind], dict)]
    return Found(count(closing, 'passed'), count(closing, '(?:failed|error)'), 'the slowest percent beside a hostile client and function: ' + ', '.join(
        f'{kind} {of[kind]["before"][1] / 1000:.1f} → {of[kind]["during"][1] / 1000:.1f} ms ({of[kind]["worse"]}×)' for kind in kinds) +
        f'; at most {of["connections"]:,.0f} connections, {of["memory"]} MiB')


def fuzzing(seconds):
    fuzzers = len(glob.glob(os.path.join(ROOT, 'tests/fuzz/*_fuzz.c')))
    each = max(1, int(seconds * os.cpu_count() / fuzzers))      # so many run side by side
    _, closing, _ = told({}, make('fuzz', f'FUZZ_SECONDS={each}'), '')
    rows, total = [], collections.Counter()
    for path in sorted(glob.glob(os.path.join(FUZZ_ROOT, '*.log'))):
        done = re.search(r'#(\d+)\s+DONE\s+cov: (\d+) ft: \d+ corp: (\d+)/', open(path, errors='replace').read())
        if done:
            runs, edges, inputs = map(int, done.groups())
            rows.append(f'{os.path.basename(path).removesuffix(".log")}: {runs:,} executions, {edges:,} edges, {inputs:,} inputs')
            total.update(runs=runs, inputs=inputs)
    print('\n'.join(rows))
    return Found(count(closing, 'passed'), count(closing, 'failed'),
                 f'{fuzzers} fuzzers, {each} s each: {total["runs"]:,} executions, {total["inputs"]:,} inputs that reach something of their own')


def soak(binary):
    def stage(seconds):
        # A sanitizer's quarantine would grow all the while.
        environment = {'CLOUDLESS_BIN': binary, 'ASAN_OPTIONS': 'quarantine_size_mb=16'}
        _, closing, figures = told(environment, [sys.executable, 'tests/soak.py', str(seconds)], r'figures (\{.*\})')
        if not figures:
            return Found(0, 1, 'ended early')
        of = json.loads(figures[0])
        return Found(count(closing, 'passed'), count(closing, 'failed'),
                     f'{of["steps"]:,} steps of a mixed load; memory {of["memory"][0]} → {of["memory"][1]} MiB, '
                     f'descriptors {of["descriptors"][0]} → {of["descriptors"][1]}, threads {of["threads"][0]} → {of["threads"][1]}')
    return stage


def many_jobs(seconds):
    jobs = max(JOBS // 100, min(JOBS, int(seconds * JOBS_A_SECOND)))
    with tempfile.TemporaryDirectory(prefix='cloudless-jobs-') as store:
        status, _, figures = told({}, ['build/many_jobs', store, str(jobs)], r'figures (\{.*\})')
    if status or not figures:
        return Found(0, 1, 'ended early')
    of = json.loads(figures[0])
    before, early, most, after = of['memory']
    return Found(1, 0, f'{of["jobs"]:,} due jobs, made in {of["made_s"]:.0f} s, run in {of["ran_s"]:.0f} s ({of["per_s"]:,.0f}/s), each once; '
                       f'memory {before} MiB before, at most {early} in the first tenth and {most} in all, {after} after')


# name, parts of the time, what is built before, the stage
STAGES = [
    ('crash rounds', 5, [make('all')], crash_rounds),
    ('faults', 3, [make('all', 'examples', 'build/faults.so')], faults),
    ('hostile', 3, [make('all')], hostile),
    ('fuzzing', 7, [make('fuzz', 'FUZZ_SECONDS=0')], fuzzing),
    ('many jobs', 2, [make('build/many_jobs')], many_jobs),
    ('soak', 3, [make('all')], soak('build/cloudless')),
    ('soak, ASan and UBSan', 3, [make(ASAN, 'all')], soak(ASAN_BIN)),
]


def main():
    wanted = os.environ.get('CAMPAIGN_STAGES', '').split(';')
    stages = [stage for stage in STAGES if wanted == [''] or stage[0] in wanted]
    unknown = set(wanted) - {'', *(stage[0] for stage in STAGES)}
    if unknown or not stages:
        sys.exit(f'campaign: CAMPAIGN_STAGES: no stage {", ".join(sorted(unknown))}; there are {", ".join(stage[0] for stage in STAGES)}')
    part_seconds = MINUTES * 60 / sum(stage[1] for stage in stages)
    rows, passed, failed = [], 0, 0
    for name, parts, builds, stage in stages:
        print(f'\n==== {name}', flush=True)
        broken = any(run({}, build)[0] for build in builds)
        begun = time.monotonic()
        found = Found(0, 1, 'not built') if broken else stage(parts * part_seconds)
        minutes = (time.monotonic() - begun) / 60
        passed, failed = passed + found.passed, failed + found.failed
        rows.append(f'| {name} | {minutes:.0f} min | {found.figures}{"" if not found.failed else "; FAILED"} |')
    print(f'\n{datetime.date.today():%-d %B %Y}, {MINUTES:g} minutes on {os.cpu_count()} processors:\n\n| stage | time | |\n|---|---|---|')
    print('\n'.join(rows))
    print(f'\n{passed} passed, {failed} failed')
    sys.exit(1 if failed else 0)


main()
