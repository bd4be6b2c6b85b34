"""What connections cost while nothing moves on them: anonymous memory of the server for each, plain and over TLS."""
import contextlib
import re
import resource
import socket
import ssl
import time

from machine import Failed, memory_kib
from workloads import harness

WARM = 50               # before the count begins: what is kept however many there are
REST_SECONDS = 2.5      # after which buffers have been given back
REQUEST = b'GET /_cloudless/%s HTTP/1.1\r\nHost: localhost\r\n\r\n'
GOALS = {'plain': 10, 'TLS': 40}        # KiB


def connect(port, context):
    s = socket.create_connection(('127.0.0.1', port))
    if context:
        s = context.wrap_socket(s)
    s.sendall(REQUEST % b'health')
    if not re.match(rb'HTTP/1.1 200', s.recv(4096)):
        raise Failed('an idle connection was not answered')
    return s


def connections_open(s):
    """How many there are, by the server's own count, asked on one of them."""
    s.sendall(REQUEST % b'metrics')
    text = b''
    while not (found := re.search(rb'\ncloudless_connections_open (\d+)\n', text)):
        piece = s.recv(65536)
        if not piece:
            raise Failed('an idle connection was closed')
        text += piece
    return int(found.group(1))


def unverified():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def measure(bench, count):
    """With so many open at the same time, all of which were answered; those before and the one that counts are not weighed."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for kind, context in (('plain', None), ('TLS', unverified())):
        with harness.running() as server, contextlib.ExitStack() as opened:
            for _ in range(WARM):
                opened.enter_context(connect(server.port, context))
            before = memory_kib(server.process.pid)
            weighed = count - WARM - 1
            for _ in range(weighed):
                opened.enter_context(connect(server.port, context))
            time.sleep(REST_SECONDS)
            each = (memory_kib(server.process.pid) - before) / weighed
            there = connections_open(opened.enter_context(connect(server.port, context)))
            if there != count:
                raise Failed(f'{there:,} of {count:,} idle connections are open')
        goal = GOALS[kind]
        bench.row(f'Idle connection, {kind}', f'{each:.1f} KiB of {count:,} open', goal=f'≤ {goal} KiB', holds=each <= goal,
                  figures={'kib': each})
