"""Everything that `make test` runs, as a list of stages; ends with one line that adds up what they counted.

A stage is a command whose output ends in pytest's closing line or in "N passed, N failed". A stage that fails does not
stop the others. STAGES='name;name' runs some of them.

What runs over which build is decided by what it can find there, once if once is enough: docs/testing.md, "Which build".
"""
import os
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTEST = [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', '--durations=6', '--durations-min=2']
ASAN, TSAN = 'SAN=address,undefined', 'SAN=thread'
ASAN_BIN, TSAN_BIN = 'build/san-address-undefined/cloudless', 'build/san-thread/cloudless'
FUZZ_SECONDS = '5'
SANITIZER_ENV = {
    'ASAN_OPTIONS': 'detect_stack_use_after_return=1:strict_string_checks=1',
    'UBSAN_OPTIONS': 'print_stacktrace=1',
    'TSAN_OPTIONS': f'suppressions="{ROOT}/tests/tsan.supp":halt_on_error=1:second_deadlock_stack=1',
}


def make(*words):
    return ['make', '--no-print-directory', *words]


# name, environment, commands (the last one counts)
STAGES = [
    ('units', {}, [make('units')]),
    ('map', {}, [[*PYTEST, 'tests/map_test.py']]),
    ('generator', {}, [[*PYTEST, 'tests/gen_api_test.py', 'tests/protocols_test.py']]),
    ('a new service', {}, [make('build/cloudless', 'runtimes'), [*PYTEST, 'tests/new_service_test.py']]),
    ('members', {}, [make('build/rows.tsv'), [*PYTEST, 'tests/members_test.py']]),
    ('docs', {}, [make('docs-check')]),
    ('end-to-end', {}, [make('all', 'examples'), [*PYTEST, 'tests/e2e', '-m', 'smoke or plain or also_plain']]),
    ('examples', {}, [make('all', 'examples'), [*PYTEST, 'examples']]),
    ('crash', {}, [make('all', 'build/faults.so'), [*PYTEST, 'tests/crash']]),
    ('fuzzers', {}, [make('fuzz', f'FUZZ_SECONDS={FUZZ_SECONDS}')]),
    ('units, ASan and UBSan', {}, [make(ASAN, 'units')]),
    ('end-to-end, ASan and UBSan', {'CLOUDLESS_BIN': ASAN_BIN},
     [make(ASAN, 'all', 'examples'), [*PYTEST, 'tests/e2e', '-m', 'not plain']]),
    ('examples, ASan and UBSan', {'CLOUDLESS_BIN': ASAN_BIN, 'C_PACKAGES': 'build/san-address-undefined/examples'},
     [make(ASAN, 'all', 'examples'), [*PYTEST, 'examples', '--ignore=examples/deploy_test.py', '-k', 'not python']]),
    ('units, TSan', {}, [make(TSAN, 'units')]),
    ('smoke, TSan', {'CLOUDLESS_BIN': TSAN_BIN}, [make(TSAN, 'all'), [*PYTEST, 'tests/e2e', '-m', 'smoke']]),
]

COUNTS = {'passed': r'(\d+) passed', 'failed': r'(\d+) (?:failed|error)', 'skipped': r'(\d+) skipped'}


def run(environment, command, heard=None):
    """Runs with the output passed on, and given to `heard`; returns the exit status and the last line that counts tests."""
    closing = ''
    env = {**os.environ, **SANITIZER_ENV, **{k: os.path.join(ROOT, v) if v.startswith('build/') else v for k, v in environment.items()}}
    for name in ('MAKEFLAGS', 'MFLAGS', 'MAKELEVEL'):       # each make that runs below is one of its own
        env.pop(name, None)
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace')
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        if heard:
            heard(line)
        if re.search(r'\b\d+ (passed|failed|skipped|error)', line):
            closing = line
    return process.wait(), closing


def main():
    # Started in the background or by nohup, some signals are ignored; what is tested here gets them all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    wanted = os.environ.get('STAGES')
    total = dict.fromkeys(COUNTS, 0)
    for name, environment, commands in STAGES:
        if wanted and name not in wanted.split(';'):
            continue
        print(f'\n==== {name}', flush=True)
        started = time.monotonic()
        for command in commands:
            status, closing = run(environment, command)
            if status != 0:
                break
        counted = {kind: sum(map(int, re.findall(pattern, closing))) for kind, pattern in COUNTS.items()}
        if status != 0 and not counted['failed']:
            counted['failed'] = 1
        for kind in total:
            total[kind] += counted[kind]
        print(f'==== {name}: {"failed" if status else "fine"} after {time.monotonic() - started:.0f} s', flush=True)
    print(f'\n{total["passed"]} passed, {total["failed"]} failed, {total["skipped"]} skipped')
    sys.exit(1 if total['failed'] else 0)


if __name__ == '__main__':
    main()
