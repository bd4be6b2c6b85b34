"""CloudWatch Logs through boto3 and the AWS CLI."""
import subprocess
import time

import pytest


@pytest.fixture
def logs(client):
    return client('logs')


@pytest.fixture
def stream(logs, unique):
    group = unique('group')
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName='one')
    return group, 'one'


def now():
    return int(time.time() * 1000)


def put(logs, group, name, *messages, at=None):
    at = at or now()
    return logs.put_log_events(logGroupName=group, logStreamName=name,
                               logEvents=[{'timestamp': at + i, 'message': m} for i, m in enumerate(messages)])


def messages(answer):
    return [e['message'] for e in answer['events']]


def test_groups_are_created_described_and_deleted(logs, unique):
    name = unique('/a/group')
    logs.create_log_group(logGroupName=name, tags={'team': 'one'})
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException, match='The specified log group already exists'):
        logs.create_log_group(logGroupName=name)
    group, = logs.describe_log_groups(logGroupNamePrefix=name)['logGroups']
    assert group['logGroupName'] == name and group['storedBytes'] == 0 and group['metricFilterCount'] == 0
    assert group['arn'] == f'arn:aws:logs:us-east-1:000000000000:log-group:{name}:*'
    assert logs.list_tags_for_resource(resourceArn=group['logGroupArn'])['tags'] == {'team': 'one'}
    logs.delete_log_group(logGroupName=name)
    assert logs.describe_log_groups(logGroupNamePrefix=name)['logGroups'] == []
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match='The specified log group does not exist.'):
        logs.delete_log_group(logGroupName=name)


def test_groups_come_in_pages(logs, unique):
    prefix = unique('page')
    for i in range(5):
        logs.create_log_group(logGroupName=f'{prefix}/{i}')
    pages = list(logs.get_paginator('describe_log_groups').paginate(logGroupNamePrefix=prefix, PaginationConfig={'PageSize': 2}))
    assert [len(p['logGroups']) for p in pages] == [2, 2, 1]


def test_events_are_read_in_both_directions(logs, stream):
    put(logs, *stream, *[f'm{i}' for i in range(10)])
    group, name = stream
    read = lambda **kw: logs.get_log_events(logGroupName=group, logStreamName=name, **kw)
    first = read(startFromHead=True, limit=4)
    assert messages(first) == ['m0', 'm1', 'm2', 'm3']
    second = read(nextToken=first['nextForwardToken'], limit=4)
    assert messages(second) == ['m4', 'm5', 'm6', 'm7']
    assert messages(read(nextToken=second['nextBackwardToken'], limit=4)) == ['m0', 'm1', 'm2', 'm3']
    assert messages(read(limit=3)) == ['m7', 'm8', 'm9']
    last = read(nextToken=second['nextForwardToken'])
    end = read(nextToken=last['nextForwardToken'])
    assert messages(end) == [] and end['nextForwardToken'] == last['nextForwardToken']


def test_put_checks_order_age_and_stream(logs, stream):
    group, name = stream
    at = now()
    with pytest.raises(logs.exceptions.InvalidParameterException, match='chronological order'):
        logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=[
            {'timestamp': at, 'message': 'b'}, {'timestamp': at - 1, 'message': 'a'}])
    old = put(logs, group, name, 'ancient', at=at - 20 * 24 * 3600 * 1000)
    assert old['rejectedLogEventsInfo'] == {'tooOldLogEventEndIndex': 1}
    new = put(logs, group, name, 'future', at=at + 3 * 3600 * 1000)
    assert new['rejectedLogEventsInfo'] == {'tooNewLogEventStartIndex': 0}
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match='The specified log stream does not exist.'):
        put(logs, group, 'none', 'x')
    assert messages(logs.get_log_events(logGroupName=group, logStreamName=name)) == []


def test_filter_terms_and_streams(logs, stream):
    group, name = stream
    logs.create_log_stream(logGroupName=group, logStreamName='two')
    at = now()
    put(logs, group, name, 'ERROR disk full', 'INFO fine', 'ERROR net down', at=at)
    put(logs, group, 'two', 'ERROR disk slow', at=at + 1)
    found = lambda **kw: messages(logs.filter_log_events(logGroupName=group, **kw))
    assert found() == ['ERROR disk full', 'INFO fine', 'ERROR disk slow', 'ERROR net down']
    assert found(filterPattern='ERROR disk') == ['ERROR disk full', 'ERROR disk slow']
    assert found(filterPattern='ERROR -disk') == ['ERROR net down']
    assert found(filterPattern='?fine ?slow') == ['INFO fine', 'ERROR disk slow']
    assert found(filterPattern='"net down"') == ['ERROR net down']
    assert found(logStreamNames=['two']) == ['ERROR disk slow']
    assert found(startTime=at + 2) == ['ERROR net down']
    assert found(endTime=at) == ['ERROR disk full']
    pages = logs.get_paginator('filter_log_events').paginate(logGroupName=group, PaginationConfig={'PageSize': 3})
    assert sum((messages(p) for p in pages), []) == found()
    with pytest.raises(logs.exceptions.ClientError, match='JSON filter patterns'):
        found(filterPattern='{ $.level = "ERROR" }')


def test_streams_are_described_by_name_and_time_and_deleted(logs, stream):
    group, _ = stream
    for name in ('b', 'a'):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
    at = now()
    put(logs, group, 'a', 'x', at=at)
    put(logs, group, 'b', 'y', at=at + 1)
    names = lambda **kw: [s['logStreamName'] for s in logs.describe_log_streams(logGroupName=group, **kw)['logStreams']]
    assert names() == ['a', 'b', 'one']
    assert names(orderBy='LastEventTime', descending=True, limit=2) == ['b', 'a']
    row = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix='a')['logStreams'][0]
    assert row['firstEventTimestamp'] == row['lastEventTimestamp'] == at
    logs.delete_log_stream(logGroupName=group, logStreamName='a')
    assert names() == ['b', 'one'] and messages(logs.filter_log_events(logGroupName=group)) == ['y']


def test_retention_hides_and_sweeps_expired_events(logs, stream):
    group, name = stream
    put(logs, group, name, 'old', at=now() - 2 * 24 * 3600 * 1000)
    put(logs, group, name, 'new')
    with pytest.raises(logs.exceptions.InvalidParameterException, match='enum value set'):
        logs.put_retention_policy(logGroupName=group, retentionInDays=2)
    before = logs.describe_log_groups(logGroupNamePrefix=group)['logGroups'][0]['storedBytes']
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    assert messages(logs.filter_log_events(logGroupName=group)) == ['new']
    deadline = time.monotonic() + 30
    while logs.describe_log_groups(logGroupNamePrefix=group)['logGroups'][0]['storedBytes'] == before:
        assert time.monotonic() < deadline, 'the sweep did not come'
    logs.delete_retention_policy(logGroupName=group)
    assert messages(logs.filter_log_events(logGroupName=group)) == ['new'], 'the event was only hidden'


def test_tail_follow_of_the_command_line(server, logs, stream):
    group, name = stream
    put(logs, group, name, 'before')
    tail = subprocess.Popen(['/usr/bin/aws', '--endpoint-url', server.url, 'logs', 'tail', group, '--follow', '--format', 'short'],
                            env={**server.client_env(), 'PYTHONUNBUFFERED': '1'}, stdout=subprocess.PIPE, text=True)
    try:
        assert 'before' in tail.stdout.readline()
        put(logs, group, name, 'while following')
        assert 'while following' in tail.stdout.readline()
    finally:
        tail.terminate()
        tail.wait()
