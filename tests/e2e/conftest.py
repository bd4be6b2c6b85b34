"""Fixtures: one server for the whole run; tests use names of their own. Tests that stop or kill a server make one themselves."""
import functools
import uuid

import pytest

import harness


@pytest.fixture(scope='session')
def server():
    with harness.running() as server:
        yield server


@pytest.fixture(scope='session')
def client(server):
    """client('dynamodb'): a boto3 client as root, made once for each service and region."""
    return functools.lru_cache(None)(server.client)


@pytest.fixture(scope='session')
def deploy_function(server):
    return functools.partial(harness.deploy_function, server)


@pytest.fixture
def unique():
    """A name that no other test has: unique('table')."""
    return lambda prefix: f'{prefix}-{uuid.uuid4().hex[:8]}'
