"""`make bench`: measures the built program beside its yardsticks, proves that the work happened, and prints one table.

    [BENCH_SECONDS=2] [BENCH_WAIT=60] [BENCH_MORE=3] [BENCH_OUT=build] bench/run.py [--write-docs]

The table also goes to BENCH_OUT/bench.json, and with --write-docs into docs/performance.md. One core serves and the
other sends where requests are compared with nginx; the server has all cores for writes and functions, as db_bench has.
Each figure is the median of ROUNDS rounds of BENCH_SECONDS, taken in turns with its yardstick, so that both meet the
same machine, and a ratio is the median of the rounds' ratios. Rounds in which other work took a part of the machine are
left out; up to BENCH_MORE are made instead, and what remains is said beneath the table. A round waits for a quiet
moment, up to BENCH_WAIT seconds for all of them together. Below half a second everything
is done once and with less of it: that shows that the benchmarks run, and measures nothing.
"""
import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

import bodies
import functions
import idle
import prepared
import report
import workloads as w
import yardsticks
from machine import CORES, LOAD_CORE, ROOT, SERVER_CORE, WORK, Failed, Starved, Watch, build_load, describe, load, load_warning, tree, wait_for_quiet
from workloads import harness

ROUNDS = 5
OTHERS_MAX = 0.05               # share of the machine that others may take in a round without its being repeated
PUTS = 30000
STARVED_MAX = 5
STARTS = 11
COLD_FUNCTIONS = 12
START_SECONDS = 1.5             # of four environments, on a machine that others use as well


class Bench:
    def __init__(self, seconds, wait, more):
        quick = seconds < 0.5
        self.seconds = seconds
        self.wait = 0 if quick else wait
        self.warmup = min(0.5, seconds / 2)
        self.rounds, self.more = (1, 0) if quick else (ROUNDS, more)
        self.puts = PUTS // 20 if quick else PUTS
        self.starts_wanted = 3 if quick else STARTS
        self.cold_functions = 2 if quick else COLD_FUNCTIONS
        self.rows, self.proofs, self.warnings = [], [], []
        self.server = None

    # ---- the server ----

    def start(self, cores=CORES):
        """On these cores from the beginning: the server has as many event loops."""
        os.sched_setaffinity(0, cores)
        try:
            self.server.start()
        finally:
            os.sched_setaffinity(0, CORES)

    def restart(self, cores):
        self.server.stop()
        self.start(cores)

    def load(self, name, **how):
        return load(self.server.port, w.in_work(name), watch=[self.server.process.pid], **how)

    # ---- rounds ----

    def medians(self, what, *measures):
        """Runs the measures in turns; the median of each one's figures. The first has its ratio to the second."""
        rounds, starved = [], 0
        while len(rounds) < self.rounds + self.more and sum(map(quiet, rounds)) < self.rounds:
            self.quiet_moment()
            try:
                rounds.append([measure() for measure in measures])
            except Starved:
                starved += 1
                if starved > STARVED_MAX:
                    raise
        kept = sorted(rounds, key=lambda r: (not quiet(r), others(r)))[:self.rounds]
        disturbed = [r for r in kept if not quiet(r)]
        if disturbed:
            self.warnings.append(f'{what}: other work took up to {max(map(others, disturbed)):.0%} of the machine '
                                 f'in {len(disturbed)} of {len(kept)} rounds')
        results = [{key: statistics.median(r[i][key] for r in kept) for key in kept[0][i]} for i in range(len(measures))]
        if len(measures) == 2:
            results[0]['ratio'] = statistics.median(ours['rate'] / theirs['rate'] for ours, theirs in kept)
        return results[0] if len(results) == 1 else results

    def quiet_moment(self):
        if self.wait > 0:
            self.wait -= wait_for_quiet(self.wait, OTHERS_MAX)

    def row(self, name, measured, **more):
        self.rows.append({'name': name, 'measured': measured, **more})
        print(f'  {name}: {measured}', file=sys.stderr, flush=True)

    # ---- figures ----

    def get_item(self):
        w.prepare_get(self.server)
        self.restart([SERVER_CORE])
        prepared.write(w.in_work('fixed'), [(prepared.plain('GET', '/', 'localhost'), 'fixed')])
        how = {'connections': 64, 'seconds': self.seconds, 'warmup': self.warmup}
        with yardsticks.Nginx(harness.free_port()) as nginx:
            ours, theirs = self.medians('GetItem', lambda: self.load('gets', **how),
                                        lambda: load(nginx.port, w.in_work('fixed'), watch=[nginx.process.pid], **how))
        ratio = ours['ratio']
        self.row('GetItem 1 KB', report.rate(ours), ratio=f'{ratio:.0%} of nginx', goal='≥ 60 % of nginx', holds=ratio >= 0.6, figures=ours)
        self.row('· nginx, fixed 1 KB', report.rate(theirs), figures=theirs)
        secure, plain = self.medians('GetItem over TLS', lambda: self.load('gets', tls=True, **how), lambda: self.load('gets', **how))
        ratio = secure['ratio']
        self.row('GetItem 1 KB over TLS', report.rate(secure), ratio=f'{ratio:.0%} of plain', goal='≥ 70 % of plain', holds=ratio >= 0.7, figures=secure)

    def query(self):
        w.prepare_query(self.server)
        ours = self.medians('Query', lambda: self.load('queries', connections=64, seconds=self.seconds, warmup=self.warmup))
        self.row('Query of 10 items', report.rate(ours), figures=ours)

    def put_item(self):
        """Both with all cores: the server shares them with the load generator, db_bench has no client to share with."""
        self.restart(CORES)
        w.make_table(self.server, 'bench-put')
        acknowledged = 0

        def ours(connections):
            nonlocal acknowledged
            first = acknowledged
            result = w.put_all(self.server, 'bench-put', (w.item_300(f'{n:012d}') for n in range(first, first + self.puts)),
                               connections, watch=[self.server.process.pid])
            acknowledged += result['answered']
            return result

        def theirs():
            watch = Watch()
            rate = yardsticks.db_bench(cores=CORES, seconds=max(1, round(self.seconds)))
            return {'rate': rate, 'others': watch.stop().others}

        put, rocks = self.medians('PutItem', lambda: ours(64), theirs)
        more = ours(256)
        self.server.kill()
        self.start()
        found = w.count_items(self.server, 'bench-put')
        if found != acknowledged:
            raise Failed(f'{acknowledged} puts were acknowledged, {found} items are there after kill -9')
        self.proofs.append(f'{acknowledged:,} puts acknowledged, server killed with -9 after the last answer, {found:,} items found after the restart')
        ratio = put['ratio']
        self.row('PutItem 300 B, durable', report.rate(put), ratio=f'{ratio:.0%} of db_bench', goal='≥ db_bench, 64 threads', holds=ratio >= 1,
                 figures=put)
        self.row('· at 256 connections', report.rate(more), ratio=f'{more["rate"] / rocks["rate"]:.0%} of db_bench', figures=more)
        self.row('· db_bench fillrandom, sync, 64 threads', f'{rocks["rate"]:,.0f}/s', figures=rocks)
        disk = yardsticks.fdatasync_us()
        self.row('· one fdatasync of 300 B', f'{disk:.0f} µs', figures={'p50_us': disk})

    def invoke(self):
        runtime = w.prepare_invokes(self.server)
        for file, name, goal in (('invokes', 'Warm invoke, direct', None), ('api', 'Warm invoke through the REST API', 'p50 ≤ 0.4 ms')):
            self.load(file, connections=4, seconds=START_SECONDS)       # environments start
            one = self.medians(name, lambda: self.load(file, connections=1, seconds=self.seconds, warmup=self.warmup))
            many = self.medians(name, lambda: self.load(file, connections=4, seconds=self.seconds, warmup=self.warmup))
            self.row(f'{name}, 1 connection', report.rate(one), goal=goal, holds=goal and one['p50_us'] <= 400, figures=one)
            self.row(f'{name}, 4 connections', report.rate(many), goal=goal and '≥ 5,000/s', holds=goal and many['rate'] >= 5000, figures=many)
        for kind, code in (('plain', w.PLAIN_CODE), ('boto3', w.BOTO3_CODE)):
            w.prepare_cold(self.server, runtime, f'cold-{kind}', code, self.cold_functions)
            time.sleep(1)                                       # spare sandboxes are made again
            cold = self.load(f'cold-{kind}', connections=1)
            what = 'boto3.resource(…).Table' if kind == 'boto3' else 'no imports'
            self.row(f'Cold start, {runtime}, {what}', f'p50 {cold["p50_us"] / 1000:.0f} ms, slowest {cold["p99_us"] / 1000:.0f} ms', figures=cold)

    def inside(self):
        """An operation that is called from inside the program, beside nothing: all of it is what stands around the handler."""
        subprocess.run(['make', '-s', 'build/bench_inside'], cwd=ROOT, check=True)
        run = subprocess.run(['taskset', '-c', str(SERVER_CORE), os.path.join(ROOT, 'build', 'bench_inside'), w.in_work('inside')], capture_output=True, text=True, check=True)
        us = int(run.stdout) / 1000
        self.row('A call from inside the program, over its handler', f'{us:.2f} µs', goal='≤ 5 µs', holds=us <= 5, figures={'us': us})

    def functions_in_c(self):
        functions.measure(self)

    def idle_connections(self):
        idle.measure(self, max(200, min(8_000, int(5_000 * self.seconds))))       # a server takes 8,750 of one address

    def http2(self):
        bodies.http2(self)

    def large_bodies(self):
        bodies.measure(self)

    def starts(self):
        """Time from exec to the ready line, over the data that the figures before have left; then memory."""
        self.server.stop()
        self.quiet_moment()
        times = [self.ready_ms() for _ in range(self.starts_wanted)]
        ready = statistics.median(times)
        self.row('Ready after start', f'p50 {ready:.1f} ms, best {min(times):.1f} ms', goal='≤ 25 ms', holds=ready <= 25,
                 figures={'p50_ms': ready, 'best_ms': min(times)})
        fresh = harness.Server(data=w.in_work('fresh'))
        for server, what in ((fresh, 'a new data directory'), (self.server, 'this data')):
            server.start()
            time.sleep(2)
            anonymous = memory_mib(server.process.pid, 'RssAnon')
            rest = sum(memory_mib(pid, 'RssAnon') for pid in tree(server.process.pid)[1:])
            goal = {'goal': '≤ 8 MiB', 'holds': anonymous <= 8} if server is fresh else {}
            self.row(f'Idle anonymous memory, {what}', f'{anonymous:.1f} MiB (its waiting sandboxes: {rest:.1f} MiB)',
                     figures={'mib': anonymous, 'sandboxes_mib': rest}, **goal)
            server.stop()
        fresh.remove()

    def ready_ms(self):
        read, write = os.pipe()
        command = [harness.BINARY, 'serve', '--data', self.server.data, '--listen', f'127.0.0.1:{self.server.port}', '--log', 'error']
        start = time.perf_counter()
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_CLOSE, read)])
        os.close(write)
        line = os.read(read, 4096)
        elapsed = (time.perf_counter() - start) * 1000
        os.close(read)
        os.kill(pid, signal.SIGTERM)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if b'ready' not in line or status != 0:
            raise Failed(f'a start ended with {status} after {line!r}')
        return elapsed

    def binary(self):
        stripped = w.in_work('stripped')
        subprocess.run(['strip', '-o', stripped, harness.BINARY], check=True)
        size = os.path.getsize(stripped) / 2**20
        self.row('Program, stripped', f'{size:.2f} MiB', goal='≤ 5 MB', holds=os.path.getsize(stripped) <= 5_000_000, figures={'mib': size})

    # ---- proofs ----

    def taken_port(self):
        """A port that two servers shared would make every figure meaningless."""
        with contextlib.ExitStack() as stack:
            second = harness.Server(data=w.in_work('second'), port=self.server.port)
            stack.callback(second.remove)
            try:
                second.start()
            except RuntimeError as e:
                if 'taken' in str(e):
                    self.proofs.append('a second server on the same port is refused')
                    return
                raise Failed(f'a taken port: {e}') from e
            second.kill()
            raise Failed('two servers listen on the same port')

    def run(self):
        self.server = harness.Server(data=w.in_work('data'), args=['--log', 'warn'])
        try:
            self.start()
            self.taken_port()
            for figure in (self.get_item, self.http2, self.large_bodies, self.query, self.put_item, self.inside, self.invoke, self.functions_in_c, self.idle_connections, self.starts,
                           self.binary):
                self.attempt(figure)
        finally:
            if self.server.process:
                self.server.kill()
            self.server.remove()

    def attempt(self, figure):
        """A figure that failed is a row that says so; the others still come."""
        try:
            figure()
        except Exception as e:          # noqa: BLE001 - a client's exception says as much as one of ours
            self.row(figure.__name__, f'FAILED: {e}', holds=False)
            if not self.server.process or self.server.process.poll() is not None:
                self.warnings.append(f'the server was gone after {figure.__name__}: ' + ''.join(self.server.log[-5:]))
                self.start()


def others(results):
    return max(r['others'] for r in results)


def quiet(results):
    return others(results) <= OTHERS_MAX


def memory_mib(pid, field):
    with contextlib.suppress(OSError), open(f'/proc/{pid}/status') as f:
        return sum(int(line.split()[1]) for line in f if line.startswith(field + ':')) / 1024
    return 0.0


def main():
    options = argparse.ArgumentParser(description='Cloudless benchmarks')
    options.add_argument('--write-docs', action='store_true', help='put the table into docs/performance.md')
    options = options.parse_args()
    started = time.monotonic()
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    bench = Bench(float(os.environ.get('BENCH_SECONDS', '2')), float(os.environ.get('BENCH_WAIT', '60')), int(os.environ.get('BENCH_MORE', '3')))
    bench.warnings += filter(None, [load_warning()])
    try:
        yardsticks.available()
        build_load()
        prepared.check_signer()
        bench.run()
    except Failed as e:
        sys.exit(f'bench: {e}')
    result = {**describe(), 'seconds': round(time.monotonic() - started), 'server_core': SERVER_CORE, 'load_core': LOAD_CORE,
              'rows': bench.rows, 'proofs': bench.proofs, 'warnings': bench.warnings}
    report.write_json(result)
    print(report.text(result))
    if options.write_docs:
        report.write_docs(result)
    sys.exit(1 if any('FAILED' in row['measured'] for row in bench.rows) else 0)


main()
