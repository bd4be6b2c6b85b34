"""The function of security_test.py: what code inside a sandbox tries. Each function answers what it found."""
import ctypes
import errno
import http.client
import json
import mmap
import os
import re
import socket
import subprocess
import time

libc = ctypes.CDLL(None, use_errno=True)


def attempt(f, *args):
    try:
        return f(*args)
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


def system_call(number, *args):
    ctypes.set_errno(0)
    return 'done' if libc.syscall(number, *args) >= 0 else errno.errorcode[ctypes.get_errno()]


def calls(event):
    return {name: system_call(number, *[a.encode() if isinstance(a, str) else a for a in args]) for name, (number, *args) in event['calls'].items()}


def other_abi(event):
    """getpid by the 32-bit gate, and by x32 numbers: filters of 64-bit numbers must not be gone round."""
    def gate():
        page = mmap.mmap(-1, 4096, prot=7)
        page.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]))
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    seen = []
    for f in (gate, lambda: libc.syscall(0x40000000 | 39)):
        pid = os.fork()
        if pid == 0:
            f()
            os._exit(0)
        seen.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    return seen


def files(event):
    """Every file that can be read and holds one of the texts, every one that can be written."""
    found, writable = [], []
    for top, folders, names in os.walk('/'):
        folders[:] = [f for f in folders if os.path.join(top, f) not in ('/proc', '/usr', '/var/runtime', '/var/lang', '/etc', '/dev')]
        for name in names:
            path = os.path.join(top, name)
            text = attempt(lambda: open(path, 'rb').read())
            found += [path for wanted in event['texts'] if isinstance(text, bytes) and wanted.encode() in text]
    for top, folders, names in os.walk('/'):
        folders[:] = [f for f in folders if not re.match(r'/(proc/\d+|proc/self|proc/thread-self|tmp|dev)$', os.path.join(top, f))]
        writable += [p for p in [top] + [os.path.join(top, n) for n in names] if os.access(p, os.W_OK) and not os.path.realpath(p).startswith(('/tmp', '/dev'))]
    held = '\0'.join(attempt(lambda: open(f'/proc/{p}/environ').read()) for p in os.listdir('/proc') if p.isdigit())
    return {'found': found, 'writable': writable, 'environment': [t for t in event['texts'] if t in held],
            'seen': sorted(os.path.basename(f) for f in os.listdir('/var/task')), 'there': [p for p in event['paths'] if os.path.exists(p)]}


def folder(event):
    """Up from a descriptor, and by the links of /proc."""
    before = sorted(os.listdir('/'))
    fd = os.open('/tmp', os.O_RDONLY)
    os.fchdir(fd)
    for _ in range(40):
        os.chdir('..')
    ways = [sorted(os.listdir('.')), sorted(os.listdir(os.open('../../../..', os.O_RDONLY, dir_fd=fd))), sorted(os.listdir(f'/proc/self/fd/{fd}/../..'))]
    return [way == before for way in ways] + [attempt(os.listdir, f'/proc/1/{link}') for link in ('root', 'cwd', 'fd')]


def network(event):
    def dial(family, at):
        with socket.socket(family) as s:
            s.settimeout(2)
            s.connect(at)
            return 'connected'
    listening = [int(line.split()[1].split(':')[1], 16) for line in open('/proc/net/tcp').read().splitlines()[1:] if line.split()[3] == '0A']
    return {'listening': sorted(listening), 'interfaces': [name for _, name in socket.if_nameindex()],
            'abstract': attempt(dial, socket.AF_UNIX, event['abstract']), 'server': attempt(dial, socket.AF_INET, ('127.0.0.1', event['port'])),
            'outside': attempt(dial, socket.AF_INET, ('192.0.2.1', 80)), 'raw': attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
            'take': attempt(lambda: socket.socket().bind(('127.0.0.1', 9001))), 'packet': attempt(lambda: socket.socket(17, socket.SOCK_RAW, 0))}


def nodes(event):
    """What mknod and its like make in /tmp, and sockets of each family and protocol: how often, and how they are refused."""
    def node(kind):
        os.mknod(f'/tmp/node-{kind}', kind | 0o600, os.makedev(1, 3))
        os.unlink(f'/tmp/node-{kind}')
        return 'made'

    def sockets(family, kind, protocols):
        seen = {}
        for protocol in protocols:
            answer = attempt(lambda: socket.socket(family, kind, protocol).close() or 'made')
            seen.setdefault(answer, []).append(protocol)
        return seen
    kinds = {'fifo': 0o010000, 'file': 0o100000, 'socket': 0o140000, 'character': 0o020000, 'block': 0o060000}
    return {'nodes': {name: attempt(node, kind) for name, kind in kinds.items()},
            'internet': sockets(socket.AF_INET, socket.SOCK_STREAM, range(300)), 'datagrams': sockets(socket.AF_INET6, socket.SOCK_DGRAM, range(300)),
            'netlink': sockets(socket.AF_NETLINK, socket.SOCK_RAW, range(32))}


def server(event):
    """What /proc tells of who made the sandbox."""
    return {pid: open(f'/proc/{pid}/cmdline').read() for pid in os.listdir('/proc') if pid.isdigit() and pid != str(os.getpid())}


def mounts(event):
    return [open(f'/proc/self/{name}').read() for name in ('mountinfo', 'mounts', 'mountstats')]


def others(event):
    """Signals to processes of the machine, and programs that would be root's anywhere else."""
    bits = [p for p in ('/usr/bin/su', '/usr/bin/mount', '/usr/bin/passwd') if os.path.exists(p)]
    return {'host': attempt(os.kill, event['pid'], 9), 'init': attempt(os.kill, 1, 9),
            'setuid': [subprocess.run([p, '-c', 'id -u'], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout.strip() for p in bits]}


def bomb(event):
    n, piece = 0, b'x' * (1 << 20)
    if event['of'] == 'memfd':
        fd = os.memfd_create('x')
        while True:
            os.write(fd, piece)
    if event['of'] == 'shared memory':
        libc.shmat.restype = ctypes.c_void_p
        while True:
            ctypes.memset(libc.shmat(libc.shmget(0, 16 << 20, 0o1600), None, 0), 1, 16 << 20)
    while True:
        if os.fork() == 0:
            time.sleep(60)


def processes(event):
    """How many it can have."""
    children = []
    try:
        while True:
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
            children.append(pid)
    except OSError as e:
        for pid in children:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        return [len(children), errno.errorcode[e.errno]]


def text(event):
    return 'x' * event['bytes']


def memory(event):
    held = b'x' * (event['mb'] << 20)
    return len(held) >> 20


def post(event):
    """One request to the AWS endpoint of the sandbox: status and body."""
    connection = http.client.HTTPConnection('127.0.0.1', 4566)
    connection.request('POST', '/', b'x' * event['bytes'], event['headers'])
    answer = connection.getresponse()
    return [answer.status, answer.read().decode()]


def half_bodies(event):
    """Requests to the AWS endpoint of the sandbox, without a signature, that never end."""
    held = []
    for _ in range(60):
        s = socket.create_connection(('127.0.0.1', 4566))
        s.settimeout(2)
        held.append(s)
        try:
            s.sendall(b'POST /2015-03-31/functions HTTP/1.1\r\nHost: x\r\nContent-Length: 16777000\r\n\r\n' + b'x' * (15 << 20))
        except OSError:
            pass
    time.sleep(event['s'])


def hold(event):
    """As much of the server as it can, through both listeners, for a time: bodies that never end, and all the connections there are."""
    held = []
    heads = [(4566, 'POST /2015-03-31/functions HTTP/1.1', 16777000), (9001, f'POST /2018-06-01/runtime/invocation/{event["id"]}/response HTTP/1.1', 6000000)]
    for i in range(event['connections']):
        try:
            s = socket.create_connection(('127.0.0.1', (4566, 9001)[i % 2]))
            held.append(s)
            port, head, length = heads[i % 2]
            if i < event['bodies']:
                s.settimeout(0.5)
                s.sendall(f'{head}\r\nHost: x\r\nContent-Length: {length}\r\n\r\n'.encode() + b'x' * (length - 1))
        except OSError:
            pass
    time.sleep(event['s'])
    return len(held)


def flood(event):
    """Small requests that are refused at once, many in one piece, over many connections; and connections that come and go."""
    end, piece, ports = time.monotonic() + event['s'], b'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n' * 400, (9001, 4566)
    streams = []
    for i in range(event['connections']):
        streams.append(socket.create_connection(('127.0.0.1', ports[i % 2])))
        streams[-1].setblocking(False)
    count = 0
    while time.monotonic() < end:
        for s in streams:
            try:
                count += s.send(piece) // (len(piece) // 400)
                s.recv(1 << 20)
            except OSError:
                pass
        attempt(lambda: socket.create_connection(('127.0.0.1', ports[count % 2])).close())
    return count


def answer(event):
    names = [f'h{n}' for n in range(event['headers'])]
    return {'statusCode': 200, 'headers': dict.fromkeys(names, ''), 'multiValueHeaders': {n: ['', ''] for n in names}}


def handler(event, context):
    event = json.loads(event['body']) if 'body' in event else event
    event['id'] = context.aws_request_id
    return globals()[event['do']](event)
