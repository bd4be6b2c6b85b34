"""What a server holds: memory, descriptors, threads, processes, control groups. A test looks before and after its load, at rest."""
import collections
import http.client
import os
import re
import time

import harness
from leftovers import cgroups, pids

SANITIZED = 'san-' in harness.BINARY
MEMORY_MORE_MAX = (256 if SANITIZED else 16) << 20      # a sanitizer keeps what was freed; what it leaks it says itself
ENGINE_MEMORY = ('rocksdb_memtable_bytes', 'rocksdb_block_cache_bytes', 'row_cache_bytes')      # which have bounds of their own
REST_SECONDS = 120              # bounds for a broken product: idle connections are closed after 75

Held = collections.namedtuple('Held', 'memory descriptors threads processes groups passing')


def gauges_and(server, look):
    """The gauges, and what `look` sees while the connection that asked is open: when the server closes it is its own affair."""
    asked = http.client.HTTPConnection('127.0.0.1', server.port, timeout=30)
    asked.request('GET', '/_cloudless/metrics')
    lines, seen = asked.getresponse().read().decode(), look()
    asked.close()
    found = collections.defaultdict(float)
    for name, value in re.findall(r'^cloudless_(\w+)(?:\{.*\})? (\S+)$', lines, re.M):
        found[name] += float(value)
    return found, seen


def gauges(server):
    return gauges_and(server, lambda: None)[0]


def descriptors(server):
    links, at = [], f'/proc/{server.process.pid}/fd'
    for fd in os.listdir(at):
        try:
            links.append(os.readlink(f'{at}/{fd}'))
        except FileNotFoundError:
            pass
    return links


def family(root):
    """The process and its descendants, the dead that nobody has reaped among them."""
    parents = {}
    for pid in pids():
        try:
            with open(f'/proc/{pid}/stat') as f:
                parents[pid] = int(f.read().rpartition(')')[2].split()[1])
        except OSError:
            pass
    found = [root]
    for parent in found:
        found.extend(pid for pid, its_parent in parents.items() if its_parent == parent)
    return found


def process_name(pid):
    try:
        with open(f'/proc/{pid}/comm') as f:
            return f.read().strip()
    except OSError:
        return 'gone'


def held(server):
    """Memory: what malloc has given out (under a sanitizer, which has its own: what is resident) and the engine does not account for.
    Descriptors: not those of the data, nor our connection; threads: not those of the lanes, which have bounds of their own, too."""
    now, links = gauges_and(server, lambda: descriptors(server))
    memory = now['resident_memory_bytes' if SANITIZED else 'heap_bytes'] - sum(now[name] for name in ENGINE_MEMORY)
    processes = family(server.process.pid)
    groups = {os.path.dirname(path) for pid in processes for path in cgroups(pid) if not path.endswith('/server')}
    return Held(int(memory), sum(not link.startswith(server.data) for link in links) - 1,
                len(os.listdir(f'/proc/{server.process.pid}/task')) - int(now['lane_threads']),
                len(processes), sum(entry.is_dir() for path in groups if 'cloudless-' in path for entry in os.scandir(path)),
                now['connections_open'] - 1 + now['environments'])


def at_rest(server, environments=0, apart=1):
    """What it holds with so many environments and no client but us, when two looks so many seconds apart see the same."""
    deadline, before = time.monotonic() + REST_SECONDS, None
    while True:
        now = held(server)
        if before and now.passing == environments and now[1:] == before[1:]:
            return now
        if time.monotonic() > deadline:
            return now
        before = now
        time.sleep(apart)


def grown(before, after, counted=('descriptors', 'threads', 'processes', 'groups')):
    """The names of what there is more of."""
    more_max = {'memory': MEMORY_MORE_MAX}
    return [name for name in ('memory', *counted) if getattr(after, name) > getattr(before, name) + more_max.get(name, 0)]
