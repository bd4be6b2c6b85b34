"""kill -9 under concurrent writers: what was acknowledged is there after a restart, nothing is half done, nothing is left.

Each round starts the server on the same data directory, checks everything that the rounds before have written, lets one
thread a subject write, kills the server in the middle of it, and looks for what it left behind. A subject notes each
write before it is sent and again once it is acknowledged; at most one of its writes is on the way at a time, so after
a restart there are exactly two permitted states: with that last write, or without. CRASH_ROUNDS=20 is the default.
"""
import http.client
import os
import random
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError

import harness
from leftovers import Traces
from subjects import Apis, Counter, Functions, Invocations, LogEvents, Roles, Rows, Slot, Tables, prepared

ROUNDS = int(os.environ.get('CRASH_ROUNDS', '20'))
WRITE_SECONDS = (0.2, 0.6)
COUNTERS = 3
BROKEN = (OSError, http.client.HTTPException, BotoCoreError, ValueError)    # the server died under the request


class State:
    """What outlives a round."""

    def __init__(self):
        self.server = harness.Server(args=['--log', 'warn']).start()
        self.subjects = prepared(self.server, (Rows, Slot, *[Counter] * COUNTERS, LogEvents, Tables, Roles, Apis, Functions, Invocations))
        self.failures = []

    def check(self):
        for subject in self.subjects:
            subject.connect()
            subject.verify()

    def write(self, subject):
        try:
            subject.write()
        except BROKEN:
            pass
        except BaseException as e:      # noqa: BLE001 - it belongs to the test, not to this thread
            self.failures.append(f'{subject}: {e!r}')

    def write_and_kill(self):
        threads = [threading.Thread(target=self.write, args=(subject,), daemon=True) for subject in self.subjects]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(*WRITE_SECONDS))
        traces = Traces(self.server)
        self.server.kill()
        for thread in threads:
            thread.join(timeout=30)
            assert not thread.is_alive()
        assert not self.failures, self.failures
        traces.gone()


@pytest.fixture(scope='module')
def state():
    state = State()
    yield state
    if state.server.process:
        state.server.kill()
    state.server.remove()


@pytest.mark.parametrize('number', range(1, ROUNDS + 1))
def test_round(state, number):
    if not state.server.process:
        state.server.start()
    state.check()
    state.write_and_kill()


def test_everything_is_there_at_the_end(state):
    if not state.server.process:
        state.server.start()
    for subject in state.subjects:
        if hasattr(subject, 'checked'):
            subject.checked = 0
    state.check()
    done = {}
    for subject in state.subjects:
        done[str(subject)] = done.get(str(subject), 0) + subject.total
    print(f'acknowledged in {ROUNDS} rounds: {done}')
    assert all(done.values()), done
    functions = next(s for s in state.subjects if isinstance(s, Functions))
    for n in random.sample(range(1, functions.sent + 1), min(5, functions.sent)):
        assert functions.client.invoke(FunctionName=f'crash-{n}')['Payload'].read() == f'"function {n}"'.encode()


def test_nothing_is_left_after_a_stop(state):
    if not state.server.process:
        state.server.start()
    state.server.client('lambda').invoke(FunctionName='invoked', Payload='{"n": 1}')
    traces = Traces(state.server)
    assert len(traces.processes) > 1
    state.server.stop()
    traces.gone()
