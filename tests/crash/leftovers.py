"""What a server has around it while it lives, and what of that is still there after its end.

Noted while it runs: its descendants with the namespaces and control groups they live in. Other servers on the machine
do not disturb: only what was noted is looked for, and a process counts as inside a noted namespace only if it is older
than the end, because the kernel gives the number of a namespace that is gone to the next one.
"""
import os
import time

WAIT_SECONDS = 10               # a bound for a busy machine under a sanitizer; it takes milliseconds


def stat(pid):
    """Parent and start time; None when it is gone, or dead and only not yet reaped by init."""
    try:
        with open(f'/proc/{pid}/stat') as f:
            fields = f.read().rpartition(')')[2].split()
        return None if fields[0] in 'ZX' else (int(fields[1]), int(fields[19]))
    except OSError:
        return None


def command(pid):
    try:
        with open(f'/proc/{pid}/cmdline') as f:
            return f.read().replace('\0', ' ').strip()
    except OSError:
        return 'gone'


def pids():
    return [int(p) for p in os.listdir('/proc') if p.isdigit()]


def namespaces(pid):
    found = set()
    try:
        for name in os.listdir(f'/proc/{pid}/ns'):
            found.add(os.readlink(f'/proc/{pid}/ns/{name}'))
    except OSError:
        pass
    return found


def cgroups(pid):
    """Directories of the groups that are the product's own."""
    found = set()
    try:
        with open(f'/proc/{pid}/cgroup') as f:
            lines = [line.rstrip('\n').split(':', 2) for line in f]
        with open('/proc/self/mountinfo') as f:
            mounts = [(fields[4], fields[-1], fields[-3]) for fields in map(str.split, f)]
    except OSError:
        return found
    for _, controllers, path in lines:
        if 'cloudless' not in path:
            continue
        for point, options, kind in mounts:
            v1 = controllers and kind == 'cgroup' and set(controllers.split(',')) <= set(options.split(','))
            if v1 or (not controllers and kind == 'cgroup2'):
                found.add(point + path)
    return found


class Traces:
    """What a running server has; gone() waits until nothing of it is left, and names what stays."""

    def __init__(self, server):
        self.data = server.data
        root = server.process.pid
        stats = {pid: s for pid in pids() if (s := stat(pid))}
        family = [root]
        for parent in family:
            family.extend(pid for pid, (its_parent, _) in stats.items() if its_parent == parent)
        self.processes = {(pid, stats[pid][1]) for pid in family}
        self.namespaces = set().union(*map(namespaces, family)) - namespaces(os.getpid())
        self.cgroups = set().union(*map(cgroups, family))

    def left(self):
        alive = [f'process {pid} ({command(pid)})' for pid, start in self.processes if (s := stat(pid)) and s[1] == start]
        inside = [f'process {pid} ({command(pid)}) in {shared}' for pid in pids()
                  if (shared := namespaces(pid) & self.namespaces) and (s := stat(pid)) and s[1] <= self.end]
        groups = [path for path in self.cgroups if os.path.exists(path)]
        with open('/proc/self/mountinfo') as f:
            mounts = [line.split()[4] for line in f if f'{self.data}/' in line]
        return alive + inside + groups + mounts

    def gone(self):
        """Called right after the end."""
        self.end = int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf('SC_CLK_TCK'))
        deadline = time.monotonic() + WAIT_SECONDS
        while (left := self.left()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not left, f'left behind: {left}'
