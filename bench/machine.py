"""The machine under the benchmarks: who runs on which core, how busy it was, what it is, and the load generator."""
import json
import os
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.environ.get('BENCH_OUT', os.path.join(ROOT, 'build'))
WORK = os.path.join(OUT, 'bench')                   # everything the benchmarks make; the same filesystem for all
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]        # the same one on a machine with a single core
TICK = os.sysconf('SC_CLK_TCK')
BUSY_LOAD = 0.5                                     # of other work, a core: more than that spoils figures


class Failed(Exception):
    """The work did not happen as claimed; there is no figure to report."""


class Starved(Failed):
    """Other work took the cores: this round has no figure."""


# ---- cores and their time ----

def tree(pid):
    """The process and all its descendants."""
    children = {}
    for entry in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{entry}/stat') as f:
                children.setdefault(int(f.read().rpartition(')')[2].split()[1]), []).append(int(entry))
        except OSError:
            pass
    found = [pid]
    for parent in found:
        found.extend(children.get(parent, ()))
    return found


def cpu_seconds(pids):
    """User and system time so far, of the processes themselves and of what they have reaped."""
    total = 0
    for pid in pids:
        try:
            with open(f'/proc/{pid}/stat') as f:
                total += sum(map(int, f.read().rpartition(')')[2].split()[11:15]))
        except OSError:
            pass
    return total / TICK


def busy_seconds():
    """Of all cores together: everything but idle and waiting for a disk."""
    with open('/proc/stat') as f:
        fields = list(map(int, f.readline().split()[1:]))
    return (sum(fields[:8]) - fields[3] - fields[4]) / TICK


class Watch:
    """Processor time over a stretch: of the processes under test, and of everybody else, as a share of the machine."""

    def __init__(self, *roots):
        self.roots = roots
        self.start = (time.monotonic(), busy_seconds(), self._ours(), self._mine())

    def _ours(self):
        return cpu_seconds([pid for root in self.roots for pid in tree(root)])

    @staticmethod
    def _mine():
        t = os.times()
        return t.user + t.system + t.children_user + t.children_system

    def stop(self):
        elapsed = time.monotonic() - self.start[0]
        self.tested = max(0.0, self._ours() - self.start[2])
        others = busy_seconds() - self.start[1] - self.tested - (self._mine() - self.start[3])
        self.others = max(0.0, others / elapsed / os.cpu_count())
        return self


def wait_for_quiet(seconds_max, share):
    """Until others take no more than `share` of the machine for a moment; the seconds that this took."""
    begin = time.monotonic()
    while time.monotonic() - begin < seconds_max:
        watch = Watch()
        time.sleep(0.3)
        if watch.stop().others <= share:
            break
    return time.monotonic() - begin


def memory_kib(pid):
    """Anonymous memory of one process."""
    with open(f'/proc/{pid}/status') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('RssAnon:'))


def load_warning():
    load = os.getloadavg()[0]
    bound = BUSY_LOAD * os.cpu_count()
    return f'the machine was busy when this began: load {load:.1f}, bound {bound:.1f}' if load > bound else None


# ---- the load generator ----

def build_load():
    source, program = os.path.join(ROOT, 'bench', 'load.c'), os.path.join(WORK, 'load')
    if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
        subprocess.run([os.environ.get('CC', 'gcc'), '-std=c17', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror',
                        '-o', program, source, '-lssl', '-lcrypto'], check=True)
    return program


def load(port, requests, *, connections, seconds=None, warmup=0.0, watch=(), tls=False):
    """One run, pinned to LOAD_CORE. seconds=None: each request exactly once. Every answer was as expected, or Failed.
    Adds what the processes `watch` used, and how busy the machine was with other things."""
    how = ['-o'] if seconds is None else ['-s', str(seconds), '-w', str(warmup)]
    stopwatch = Watch(*watch)
    run = subprocess.run(['taskset', '-c', str(LOAD_CORE), os.path.join(WORK, 'load'), '-p', str(port), '-f', requests, '-c', str(connections),
                          *how, *(['-t'] if tls else [])],
                         capture_output=True, text=True)
    stopwatch.stop()
    if run.returncode != 0:
        raise Failed(f'load generator: {run.stderr.strip()[:2000]} {run.stdout.strip()}')
    result = json.loads(run.stdout)
    if result['answered'] == 0:
        raise Starved('load generator: no answer within the time')
    share = result['seconds'] / (result['seconds'] + (warmup if seconds else 0))
    result['cpu_us'] = stopwatch.tested * 1e6 * share / result['answered']
    result['others'] = stopwatch.others
    return result


# ---- what it is ----

def describe():
    """Date and machine, without names of hosts or places."""
    def value(path, key):
        with open(path) as f:
            return next((line.split(':', 1)[1].strip() for line in f if line.startswith(key)), 'unknown')
    memory = int(value('/proc/meminfo', 'MemTotal').split()[0]) / 2**20
    filesystem = subprocess.run(['stat', '-f', '-c', '%T', WORK], capture_output=True, text=True).stdout.strip()
    with open('/etc/os-release') as f:
        system = next((line.split('=', 1)[1].strip().strip('"') for line in f if line.startswith('PRETTY_NAME')), 'Linux')
    virtual = ', virtual machine' if ' hypervisor ' in value('/proc/cpuinfo', 'flags') + ' ' else ''
    return {'date': time.strftime('%Y-%m-%d', time.gmtime()), 'cpu': value('/proc/cpuinfo', 'model name') + virtual, 'cores': len(CORES),
            'memory_gib': round(memory), 'kernel': os.uname().release.split('-')[0], 'system': system, 'filesystem': filesystem}
