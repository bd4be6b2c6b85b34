"""Each kind of fault, at each n-th call, under a mixed load over all services (faults.py).

FAULTS_SECONDS (0: a few periods of each kind) is how long all of it may take: periods go on as 1, 2, 3, 5, 8, …
"""
import json
import os
import signal
import time

import pytest

from faults import FOREVER, KINDS, Rounds
from holdings import family, grown, process_name

SECONDS = float(os.environ.get('FAULTS_SECONDS', '0'))
MOST = {'allocation': 1, 'library allocation': 3}       # faults of a round, where each may be the server's end
SHORT = {'allocation': (3000, 40000), 'library allocation': (5, 200), 'descriptor': (1, 7), 'disk full': (1, 5), 'disk': (1, 5),
         'reading': (3, ), 'short write': (1, ), 'clock': (50, ), 'process': (1, 3)}


@pytest.fixture(scope='module')
def servers():
    """One for all kinds; where one has failed, the next kind has another."""
    made = []
    yield made
    for rounds in made:
        rounds.close()
        print('faults ' + json.dumps(rounds.figures()))


@pytest.fixture
def rounds(servers):
    if not servers or servers[-1].failed:
        servers.append(Rounds())
    servers[-1].failed = True
    yield servers[-1]
    if servers[-1].failed:
        servers[-1].close()


def periods(kind):
    """The few; or 1, 2, 3, 5, … as long as there is time."""
    if not SECONDS:
        yield from SHORT[kind]
        return
    until, a, b = time.monotonic() + SECONDS / (len(KINDS) + 1), 1, 2
    while time.monotonic() < until:
        yield a
        a, b = (b, a + b) if b < 10**6 else (1, 2)


@pytest.mark.parametrize('kind', KINDS)
def test_every_nth(rounds, kind):
    before = rounds.rest()
    ends = rounds.ends
    for period in periods(kind):
        rounds.load.begin()
        rounds.round(kind, period, MOST.get(kind, FOREVER), 0.7)
        rounds.load.end()
    after = rounds.rest()
    more = grown(before, after) if rounds.ends == ends else []
    assert not more, (kind, more, before, after)
    rounds.failed = False


@pytest.mark.parametrize('kind, said', [('disk full', ('read-only', 'ready')), ('process', ('ready', 'stalled'))])
def test_health_tells(rounds, kind, said):
    """What fails all the while is what health says: a disk that takes nothing, a machine that makes no more processes."""
    rounds.load.begin()
    told = rounds.round(kind, 1, FOREVER, 1.5)
    rounds.load.end()
    assert said in told, told
    rounds.failed = False


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGSTOP])
def test_launcher(rounds, number):
    """It is killed, or stopped for a while, again and again under the load."""
    before = rounds.rest()

    def strike():
        struck = []
        for _ in range(5):
            struck = [pid for pid in family(rounds.server.process.pid) if process_name(pid) == 'cl-launcher']
            for pid in struck:
                os.kill(pid, number)
            time.sleep(0.2)
            for pid in struck if number == signal.SIGSTOP else []:
                os.kill(pid, signal.SIGCONT)
    rounds.load.begin()
    for _ in range(1 + int(SECONDS / len(KINDS) / 5)):
        rounds.round('launcher', 0, 0, 0, strike)
    rounds.load.end()
    more = grown(before, rounds.rest())
    assert not more, more
    rounds.failed = False
