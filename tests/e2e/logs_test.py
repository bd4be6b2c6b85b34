"""CloudWatch Logs through boto3 and the AWS CLI."""
import subprocess
import threading
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


def test_groups_are_named_once_and_where_they_are(logs, stream, unique):
    group, _ = stream
    arn = f'arn:aws:logs:us-east-1:000000000000:log-group:{group}'
    for name in (group, arn):
        assert logs.describe_log_streams(logGroupIdentifier=name)['logStreams'][0]['logStreamName'] == 'one'
    assert 'uploadSequenceToken' not in logs.describe_log_streams(logGroupName=group)['logStreams'][0]
    with pytest.raises(logs.exceptions.ClientError, match='LogGroup name and LogGroup ARN are mutually exclusive parameters.') as e:
        logs.describe_log_streams(logGroupName=group, logGroupIdentifier=arn)
    assert e.value.response['Error']['Code'] == 'ValidationException'
    with pytest.raises(logs.exceptions.InvalidParameterException, match='Exactly one of'):
        logs.describe_log_streams()
    elsewhere = arn.replace('us-east-1', 'eu-west-1')
    for call in (lambda: logs.describe_log_streams(logGroupIdentifier=elsewhere), lambda: logs.tag_resource(resourceArn=elsewhere, tags={'a': 'b'}),
                 lambda: logs.list_tags_for_resource(resourceArn=elsewhere)):
        with pytest.raises(logs.exceptions.ResourceNotFoundException):
            call()
    logs.tag_resource(resourceArn=arn, tags={'a': 'b'})
    assert logs.list_tags_for_resource(resourceArn=arn)['tags'] == {'a': 'b'}
    logs.untag_resource(resourceArn=arn, tagKeys=['a'])
    assert logs.list_tags_for_resource(resourceArn=arn)['tags'] == {}


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


def test_tokens_stand_between_events(logs, stream):
    """At either end a page is empty and its token the one that was given; turning round there misses nothing."""
    group, name = stream
    read = lambda **kw: logs.get_log_events(logGroupName=group, logStreamName=name, **kw)
    nothing = read(startFromHead=True)
    assert messages(nothing) == [] and read(nextToken=nothing['nextForwardToken'])['nextForwardToken'] == nothing['nextForwardToken']
    put(logs, group, name, *'abcd')
    assert messages(read(nextToken=nothing['nextForwardToken'], limit=2)) == ['a', 'b'], 'what came after the token was asked for'
    tail = read(limit=2)
    assert messages(tail) == ['c', 'd']
    end = read(nextToken=tail['nextForwardToken'], limit=2)
    assert messages(end) == [] and end['nextForwardToken'] == tail['nextForwardToken']
    assert messages(read(nextToken=end['nextBackwardToken'], limit=2)) == ['c', 'd']
    head = read(nextToken=tail['nextBackwardToken'], limit=2)
    assert messages(head) == ['a', 'b']
    beginning = read(nextToken=head['nextBackwardToken'], limit=2)
    assert messages(beginning) == [] and beginning['nextBackwardToken'] == head['nextBackwardToken']
    assert messages(read(nextToken=beginning['nextForwardToken'], limit=2)) == ['a', 'b']
    for token in ('x', 'f/12', 'b/' + 'g' * 32, 'f/' + '0' * 33):
        with pytest.raises(logs.exceptions.InvalidParameterException, match='The specified nextToken is invalid.'):
            read(nextToken=token)


def test_bounds_of_a_batch(logs, stream):
    group, name = stream
    at = now()
    event = lambda n, i=0: {'timestamp': at + i, 'message': 'x' * n}
    batch = lambda events: logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=events)
    for events, message in [
            ([event(1048576 - 25)], 'Log event too large: 1048577 bytes exceeds limit of 1048576'),
            ([event(262144 - 26)] * 4 + [event(1)], 'Upload too large: 1048603 bytes exceeds limit of 1048576'),
            ([{'timestamp': at - 24 * 3600 * 1000 - 1, 'message': 'a'}, event(1)], 'cannot span more than 24 hours')]:
        with pytest.raises(logs.exceptions.InvalidParameterException, match=message):
            batch(events)
    for events in ([], [event(1)] * 10001, [event(0)]):
        with pytest.raises(logs.exceptions.InvalidParameterException, match='1 validation error detected'):
            client_without_checks(logs).put_log_events(logGroupName=group, logStreamName=name, logEvents=events)
    assert 'rejectedLogEventsInfo' not in batch([event(262144 - 26)] * 4)
    assert 'rejectedLogEventsInfo' not in batch([event(1, i // 100) for i in range(10000)])
    pages = [len(p['events']) for p in logs.get_paginator('filter_log_events').paginate(logGroupName=group)]
    assert sum(pages) == 10004 and max(pages) <= 10000


def client_without_checks(logs):
    import boto3
    from botocore.config import Config
    key = logs._request_signer._credentials
    return boto3.client('logs', endpoint_url=logs.meta.endpoint_url, region_name='us-east-1', aws_access_key_id=key.access_key,
                        aws_secret_access_key=key.secret_key, config=Config(parameter_validation=False, retries={'max_attempts': 0}))


def test_a_part_of_a_batch_is_rejected(logs, stream):
    """What is too old or expired is a head of the batch, what is too new a tail; the rest is stored."""
    group, name = stream
    hour, day = 3600 * 1000, 24 * 3600 * 1000
    at = now()
    batch = lambda *times: logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=[
        {'timestamp': t, 'message': str(i)} for i, t in enumerate(times)])['rejectedLogEventsInfo']
    old = at - 14 * day
    assert batch(old - 5000, old - 4000, old + 60000) == {'tooOldLogEventEndIndex': 2}
    assert batch(at, at + hour, at + 2 * hour + 60000, at + 3 * hour) == {'tooNewLogEventStartIndex': 2}
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    assert batch(at - day - 1000, at - hour) == {'expiredLogEventEndIndex': 1}
    assert messages(logs.filter_log_events(logGroupName=group)) == ['1', '0', '1']


def test_pages_end_at_a_megabyte(logs, stream):
    group, name = stream
    for i in range(3):
        put(logs, group, name, *[f'{i}{j}' + 'x' * 262000 for j in range(3)])
    wanted = [f'{i}{j}' for i in range(3) for j in range(3)]
    short = lambda answer: [m[:2] for m in messages(answer)]
    page = logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True)
    seen = short(page)
    assert seen == wanted[:4]
    while short(page):
        page = logs.get_log_events(logGroupName=group, logStreamName=name, nextToken=page['nextForwardToken'])
        seen += short(page)
    assert seen == wanted
    pages = [short(p) for p in logs.get_paginator('filter_log_events').paginate(logGroupName=group)]
    assert sum(pages, []) == wanted and max(map(len, pages)) == 4


def test_streams_come_in_pages(logs, stream):
    """By name a stream that appears meanwhile moves nothing; descending and by time the whole is there as well."""
    group, _ = stream
    for i in range(5):
        logs.create_log_stream(logGroupName=group, logStreamName=f's{i}')
        put(logs, group, f's{i}', 'x', at=now() - 1000 * i)
    first = logs.describe_log_streams(logGroupName=group, limit=2)
    logs.create_log_stream(logGroupName=group, logStreamName='a')
    rest = logs.describe_log_streams(logGroupName=group, nextToken=first['nextToken'])
    names = lambda *pages: [s['logStreamName'] for p in pages for s in p['logStreams']]
    assert names(first, rest) == ['one', 's0', 's1', 's2', 's3', 's4']
    whole = lambda **kw: names(*logs.get_paginator('describe_log_streams').paginate(logGroupName=group, PaginationConfig={'PageSize': 2}, **kw))
    assert whole() == ['a'] + names(first, rest) == whole(descending=True)[::-1]
    assert whole(orderBy='LastEventTime')[-5:] == ['s4', 's3', 's2', 's1', 's0']
    assert whole(logStreamNamePrefix='s', descending=True) == ['s4', 's3', 's2', 's1', 's0']


def test_a_stream_and_a_group_are_deleted_while_they_are_written(server, logs, stream):
    """Writers see them there or gone; nothing of what was deleted comes back, and a group of the same name is a new one."""
    group, name = stream
    stop, errors = threading.Event(), []

    def write():
        mine = server.client('logs')
        while not stop.is_set():
            try:
                put(mine, group, name, *['x' * 100] * 200)
            except (mine.exceptions.ResourceNotFoundException, mine.exceptions.ResourceAlreadyExistsException):
                pass
            except Exception as e:
                errors.append(e)
    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    for i in range(6):
        put(logs, group, name, *['y'] * 2000)
        if i % 2:
            logs.delete_log_group(logGroupName=group)
            logs.create_log_group(logGroupName=group)
        else:
            logs.delete_log_stream(logGroupName=group, logStreamName=name)
        logs.create_log_stream(logGroupName=group, logStreamName=name)
    stop.set()
    for writer in writers:
        writer.join()
    assert not errors
    logs.delete_log_stream(logGroupName=group, logStreamName=name)
    assert messages(logs.filter_log_events(logGroupName=group)) == []
    assert logs.describe_log_groups(logGroupNamePrefix=group)['logGroups'][0]['storedBytes'] == 0


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
    assert found(endTime=2**63 - 1) == found()
    pages = logs.get_paginator('filter_log_events').paginate(logGroupName=group, PaginationConfig={'PageSize': 3})
    assert sum((messages(p) for p in pages), []) == found()
    with pytest.raises(logs.exceptions.ClientError, match='JSON filter patterns'):
        found(filterPattern='{ $.level = "ERROR" }')
    with pytest.raises(logs.exceptions.InvalidParameterException, match=r"Invalid character\(s\) in term 'net:down'"):
        found(filterPattern='net:down')
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match='The specified log stream does not exist.'):
        found(logStreamNames=['two', 'three'])
    with pytest.raises(logs.exceptions.InvalidParameterException, match='mutually exclusive'):
        found(logStreamNames=['two'], logStreamNamePrefix='t')


def test_filter_from_the_newest(logs, stream):
    """startFromHead false: the latest events first, on this page and on those behind it; a token goes the way it was given for."""
    group, name = stream
    at = now()
    put(logs, group, name, *[f'm{i}' for i in range(7)], at=at)
    found = lambda **kw: logs.filter_log_events(logGroupName=group, **kw)
    whole = [f'm{i}' for i in range(7)]
    assert messages(found(startFromHead=True)) == messages(found()) == whole
    assert messages(found(startFromHead=False, startTime=at)) == whole[::-1]
    assert messages(found(startFromHead=False, startTime=at + 2, endTime=at + 4)) == ['m4', 'm3', 'm2']
    for limit in (1, 2, 3):
        seen, page = [], found(startFromHead=False, limit=limit)
        while True:
            seen += messages(page)
            if 'nextToken' not in page:
                break
            page = found(nextToken=page['nextToken'], limit=limit, startFromHead=True)
        assert seen == whole[::-1]
    first = found(limit=3)
    assert messages(found(nextToken=first['nextToken'], startFromHead=False)) == whole[3:]
    with pytest.raises(logs.exceptions.InvalidParameterException, match='startFromHead'):
        found(startFromHead=False, startTime=1704067200000 - 1)
    assert messages(found(startFromHead=False, startTime=1704067200000)) == whole[::-1]
    for token in ('b/' + first['nextToken'][2:], 'f/x', 'b/x', 'b/', 'x'):
        with pytest.raises(logs.exceptions.InvalidParameterException, match='The specified nextToken is invalid.'):
            found(nextToken=token)


def test_streams_by_last_event(logs, stream):
    """The order is that of what is shown, whatever came first, in pages of both directions; what is written moves."""
    group, _ = stream
    at = now()
    for i in range(12):
        logs.create_log_stream(logGroupName=group, logStreamName=f's{i:02}')
        put(logs, group, f's{i:02}', 'x', at=at - i % 4 * 1000 - i)
    shown = {}

    def names(**kw):
        pages = logs.get_paginator('describe_log_streams').paginate(logGroupName=group, orderBy='LastEventTime', **kw)
        streams = [s for page in pages for s in page['logStreams']]
        shown.update({s['logStreamName']: s.get('lastEventTimestamp', 0) for s in streams})
        return [s['logStreamName'] for s in streams]
    for size in (1, 5, 50):
        newest = names(descending=True, PaginationConfig={'PageSize': size})
        assert newest == sorted(shown, key=lambda s: (shown[s], s), reverse=True) and len(newest) == 13 and newest[-1] == 'one'
        assert names(PaginationConfig={'PageSize': size}) == newest[::-1]
    put(logs, group, 's11', 'y', at=at + 1)
    put(logs, group, 's00', 'y', at=at - 9000)          # older than its last one: stays where it is
    assert names(descending=True)[:2] == ['s11', 's00']
    logs.delete_log_stream(logGroupName=group, logStreamName='s11')
    assert names(descending=True)[0] == 's00' and len(names()) == 12
    page = logs.describe_log_streams(logGroupName=group, orderBy='LastEventTime', descending=True, limit=2)
    with pytest.raises(logs.exceptions.InvalidParameterException, match='The specified nextToken is invalid.'):
        logs.describe_log_streams(logGroupName=group, orderBy='LastEventTime', nextToken=page['nextToken'])     # the other way


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
