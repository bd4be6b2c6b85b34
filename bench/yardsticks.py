"""What the figures are compared with: nginx for requests, RocksDB's own db_bench for durable writes, fdatasync for the disk."""
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request

from machine import CORES, SERVER_CORE, WORK, Failed

NGINX_CONF = '''daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr crit;
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 75s;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{answer}'; }} }}
}}
'''


class Nginx:
    """One worker on the server's core with a fixed answer of 1,024 bytes; its files live in a folder of their own."""
    ANSWER = '{"fixed":"' + 'x' * 1012 + '"}'

    def __init__(self, port):
        self.port = port

    def __enter__(self):
        self.prefix = tempfile.mkdtemp(prefix='cloudless-nginx-')
        with open(os.path.join(self.prefix, 'nginx.conf'), 'w') as f:
            f.write(NGINX_CONF.format(port=self.port, answer=self.ANSWER))
        nginx = shutil.which('nginx') or '/usr/sbin/nginx'
        self.process = subprocess.Popen(['taskset', '-c', str(SERVER_CORE), nginx, '-p', self.prefix, '-c', 'nginx.conf', '-e', 'stderr'])
        for _ in range(100):
            try:
                if urllib.request.urlopen(f'http://127.0.0.1:{self.port}/', timeout=5).read() == self.ANSWER.encode():
                    return self
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        raise Failed('nginx does not answer')

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.prefix, ignore_errors=True)


def db_bench(*, cores, seconds, threads=64, value_bytes=300):
    """Random puts, each durable before it is acknowledged, grouped by RocksDB itself; on the benchmark's filesystem."""
    path = tempfile.mkdtemp(prefix='db_bench-', dir=WORK)
    try:
        run = subprocess.run(
            ['taskset', '-c', ','.join(map(str, cores)), 'db_bench', '--benchmarks=fillrandom', '--sync=1', f'--threads={threads}',
             f'--value_size={value_bytes}', '--key_size=16', '--num=10000000', f'--duration={seconds}', f'--db={path}', '--compression_type=none'],
            capture_output=True, text=True)
    finally:
        shutil.rmtree(path, ignore_errors=True)
    rate = re.search(r'fillrandom\s*:.*?(\d+) ops/sec', run.stdout)
    if run.returncode != 0 or not rate:
        raise Failed(f'db_bench: {run.stderr[-500:]}{run.stdout[-500:]}')
    return int(rate.group(1))


def fdatasync_us(count=200):
    """Median time to make 300 appended bytes durable: no single write can be acknowledged sooner."""
    path = os.path.join(WORK, 'fdatasync')
    times = []
    with open(path, 'wb', buffering=0) as f:
        for _ in range(count):
            start = time.perf_counter_ns()
            f.write(b'x' * 300)
            os.fdatasync(f.fileno())
            times.append(time.perf_counter_ns() - start)
    os.unlink(path)
    return sorted(times)[count // 2] / 1000


def available():
    missing = [package for program, package in (('nginx', 'nginx-light'), ('db_bench', 'rocksdb-tools'), ('taskset', 'util-linux'))
               if not shutil.which(program) and not os.path.exists(f'/usr/sbin/{program}')]
    if missing:
        raise Failed(f'install {" ".join(missing)} first')
