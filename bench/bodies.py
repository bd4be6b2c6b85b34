"""Large bodies in and out beside nginx, and HTTP/2 beside HTTP/1.1."""
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time

import prepared
import report
import workloads as w
from machine import CORES, LOAD_CORE, ROOT, SERVER_CORE, Failed, Watch, cpu_seconds

sys.path.insert(0, os.path.join(ROOT, 'tests', 'e2e'))
import harness  # noqa: E402

BODY_BYTES = int(os.environ.get('BENCH_BODY_BYTES', str(1 << 30)))
GOALS = ('in, hashed by a worker (all cores)', 'out, a file')    # nginx reads a body and throws it away, which is less
NGINX = '''daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr crit;
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; client_max_body_size 0; lingering_close always; lingering_time 600s;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{ listen 127.0.0.1:{port}; location /in {{ return 200 "in"; }} location / {{ root {root}; }} }}
}}
'''


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port)):
        return True
    return False


@contextlib.contextmanager
def nginx(root):
    port = harness.free_port()
    prefix = os.path.join(root, 'nginx')
    os.makedirs(prefix, exist_ok=True)
    with open(os.path.join(prefix, 'nginx.conf'), 'w') as f:
        f.write(NGINX.format(port=port, root=root))
    process = subprocess.Popen(['taskset', '-c', str(SERVER_CORE), shutil.which('nginx') or '/usr/sbin/nginx', '-p', prefix, '-c', 'nginx.conf', '-e', 'stderr'])
    try:
        harness.until(lambda: answers(port))
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def ours(path, how, cores=(SERVER_CORE,)):
    port = harness.free_port()
    process = subprocess.Popen(['taskset', '-c', ','.join(map(str, cores)), os.path.join(ROOT, 'build', 'bench_bodies'), str(port), path, how],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if process.stdout.readline() != b'ready\n':
            raise Failed('bench_bodies does not begin')
        yield port, process.pid
    finally:
        process.stdin.close()
        process.wait()


def head_of(s):
    head = b''
    while not head.endswith(b'\r\n\r\n'):
        byte = s.recv(1)
        if not byte:
            raise Failed(f'no answer: {head!r}')
        head += byte
    if not head.startswith(b'HTTP/1.1 200'):
        raise Failed(head.decode('latin-1'))
    return head


def seconds_in(port, path):
    """The file to the server, and its answer."""
    with socket.create_connection(('127.0.0.1', port)) as s, open(path, 'rb') as f:
        start = time.perf_counter()
        s.sendall(b'PUT /in HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n' % BODY_BYTES)
        s.sendfile(f)
        head_of(s)
        return time.perf_counter() - start


def seconds_out(port, name):
    with socket.create_connection(('127.0.0.1', port)) as s:
        start = time.perf_counter()
        s.sendall(b'GET /%s HTTP/1.1\r\nHost: a\r\n\r\n' % name.encode())
        head = head_of(s)
        left = int(re.search(rb'(?i)content-length: (\d+)', head).group(1))
        if left != BODY_BYTES:
            raise Failed(f'{left} bytes')
        piece = bytearray(1 << 20)
        while left:
            n = s.recv_into(piece, 0, socket.MSG_TRUNC)     # thrown away where it is
            if not n:
                raise Failed('cut')
            left -= n
        return time.perf_counter() - start


def memory_mib(pid):
    with open(f'/proc/{pid}/status') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('VmHWM')) / 1024


def best_of(run, pid, count=3):
    """The quickest of some runs, and the server's processor time for one."""
    before = cpu_seconds([pid])
    best = min(run() for _ in range(count))
    return best, (cpu_seconds([pid]) - before) / count


def measure(bench):
    """Rows of 1 GB in and out; the client on its own core, both servers on the other."""
    subprocess.run(['make', '-s', 'build/bench_bodies'], cwd=ROOT, check=True)
    name, root = 'body', w.in_work('')
    path = os.path.join(root, name)
    with open(path, 'wb') as f:
        for _ in range(BODY_BYTES >> 20):
            f.write(os.urandom(1 << 20))
    os.sched_setaffinity(0, [LOAD_CORE])
    try:
        with nginx(root) as (theirs, their_pid), ours(path, 'loop') as (port, pid), ours(path, 'plain') as (bare, bare_pid), \
                ours(path, 'worker', CORES) as (spread, spread_pid):
            runs = {'in, hashed by a worker (all cores)': (lambda: seconds_in(spread, path), spread_pid, lambda: seconds_in(theirs, path)),
                    'in, hashed on the loop': (lambda: seconds_in(port, path), pid, lambda: seconds_in(theirs, path)),
                    'in, not hashed': (lambda: seconds_in(bare, path), bare_pid, lambda: seconds_in(theirs, path)),
                    'out, a file': (lambda: seconds_out(port, name), pid, lambda: seconds_out(theirs, name))}
            for what, (mine, my_pid, other) in runs.items():
                (best, cpu), (other_best, other_cpu) = best_of(mine, my_pid), best_of(other, their_pid)
                ratio, memory = other_best / best, memory_mib(my_pid)
                rates = [BODY_BYTES / 2**20 / s for s in (best, other_best)]
                goal = {} if what not in GOALS else {'goal': '≥ 60 % of nginx, ≤ 32 MiB', 'holds': ratio >= 0.6 and memory <= 32}
                bench.row(f'A body of {BODY_BYTES >> 20} MiB {what}', f'{rates[0]:,.0f} MiB/s, {cpu:.2f} s CPU (nginx {rates[1]:,.0f}, {other_cpu:.2f}); '
                          f'{memory:.1f} MiB at most', ratio=f'{ratio:.0%} of nginx', figures={'mib_s': rates[0], 'nginx_mib_s': rates[1], 'mib': memory}, **goal)
    finally:
        os.sched_setaffinity(0, CORES)
        os.unlink(path)


def http2(bench):
    """One signed GetItem again and again: 64 streams on 8 connections beside 64 connections. The clients differ, so the server's
    processor time says more than the rates."""
    if not shutil.which('h2load'):
        raise Failed('install nghttp2-client first')
    sign = w.signer(bench.server)
    message = sign.call('GetItem', {'TableName': 'bench-get', 'Key': {'pk': {'S': 'item-00000001'}}})
    prepared.write(w.in_work('one'), [(message, 'notes-00000001-')])
    head, body = message.split(b'\r\n\r\n', 1)
    with open(w.in_work('one.body'), 'wb') as f:
        f.write(body)
    headers = [word for line in head.decode().split('\r\n')[1:] if not re.match('(?i)host|content-length', line) for word in ('-H', line)]
    how = {'connections': 64, 'seconds': bench.seconds, 'warmup': bench.warmup}

    def theirs():
        watch = Watch(bench.server.process.pid)
        run = subprocess.run(['taskset', '-c', str(LOAD_CORE), 'h2load', '-D', str(max(1, round(bench.seconds))), '-c', '8', '-m', '8', '-d', w.in_work('one.body'),
                              *headers, f'http://127.0.0.1:{bench.server.port}/'], capture_output=True, text=True, check=True).stdout
        watch.stop()
        done = re.search(r'status codes: (\d+) 2xx, 0 3xx, (\d+) 4xx, (\d+) 5xx', run)
        if not done or int(done.group(2)) or int(done.group(3)):
            raise Failed(run[-500:])
        rate = float(re.search(r'finished in .*?, ([\d.]+) req/s', run).group(1))
        return {'rate': rate, 'cpu_us': watch.tested * 1e6 / int(done.group(1)), 'others': watch.others, 'p50_us': 0, 'p99_us': 0}

    two, one = bench.medians('HTTP/2', theirs, lambda: bench.load('one', **how))
    ratio = two['ratio']
    bench.row('GetItem 1 KB over HTTP/2, 64 streams on 8 connections', f'{two["rate"]:,.0f}/s, {two["cpu_us"]:.1f} µs CPU', ratio=f'{ratio:.0%} of HTTP/1.1',
              goal='≥ 80 % of HTTP/1.1', holds=ratio >= 0.8, figures=two)
    bench.row('· the same item over HTTP/1.1, 64 connections', report.rate(one), figures=one)
