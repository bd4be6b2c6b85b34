"""Every member of every served operation's input is honoured or refused by name: none is accepted and forgotten.

The models (botocore's, from which the program's tables are made) are walked; a member must be refused by its operation's row,
or be named in the sources of its service, where it is read or refused. Members that AWS itself accepts without effect are
listed here, each with its reason. Needs build/rows.tsv (make build/rows.tsv)."""
import functools
from pathlib import Path

import botocore.loaders
import pytest

ROOT = Path(__file__).resolve().parent.parent
# (service, member): why it is accepted although nothing reads it
WITHOUT_EFFECT = {
    ('apigateway', 'patchOperations.from'): 'belongs to the operations copy and move, which are refused',
    ('dynamodb', 'ReturnItemCollectionMetrics'): 'tables without local secondary indexes have no metrics: AWS answers none',
    ('logs', 'interleaved'): 'deprecated: results are always interleaved, API reference',
    ('logs', 'sequenceToken'): 'ignored since 2023: always accepted, API reference of PutLogEvents',
}
# Carried by the protocol, not by name.
BY_THE_PROTOCOL = {('lambda', 'Invoke', 'Payload')}
# Structures that are refused unless they say what is the default: their other members are refused with them.
ONLY_DEFAULTS = {('dynamodb', 'SSESpecification'), ('dynamodb', 'OnDemandThroughput'), ('lambda', 'VpcConfig'), ('lambda', 'LoggingConfig'),
                 ('lambda', 'FileSystemConfigs')}


def rows():
    """(service, operation, refused members) of every row."""
    for line in (ROOT / 'build/rows.tsv').read_text().splitlines():
        service, operation, refused = line.split('\t')
        yield service, operation, set(refused.split())


@functools.cache
def model(service):
    return botocore.loaders.Loader().load_service_model(service, 'service-2')


@functools.cache
def source(service):
    text = '\n'.join(p.read_text() for p in sorted((ROOT / 'src/services' / service).glob('*.c')))
    return text + (ROOT / 'src/call/tags.c').read_text() if '#include "call/tags.h"' in text else text


def members(service, shape_name, path=(), within=()):
    """Paths of all members below a shape, as tuples of names; a structure within itself is walked once."""
    shape = model(service)['shapes'][shape_name]
    if shape['type'] == 'structure' and shape_name not in within:
        for name, member in shape.get('members', {}).items():
            yield (*path, name)
            yield from members(service, member['shape'], (*path, name), (*within, shape_name))
    elif shape['type'] in ('list', 'map'):
        element = shape['member' if shape['type'] == 'list' else 'value']['shape']
        yield from members(service, element, path, within)


def forgotten(service, operation, refused):
    shape = model(service)['operations'][operation].get('input', {}).get('shape')
    for path in members(service, shape) if shape else ():
        known = (path[0] in refused or (service, path[0]) in ONLY_DEFAULTS and len(path) > 1 or
                 (service, operation, path[0]) in BY_THE_PROTOCOL or (service, '.'.join(path)) in WITHOUT_EFFECT)
        if not known and f'"{path[-1]}"' not in source(service):
            yield '.'.join(path)


@pytest.mark.parametrize('service, operation, refused', [pytest.param(*row, id=f'{row[0]}-{row[1]}') for row in rows()])
def test_no_member_is_forgotten(service, operation, refused):
    assert list(forgotten(service, operation, refused)) == []


def test_what_is_listed_exists():
    served = {(service, '.'.join(path)) for service, operation, _ in rows() if 'input' in model(service)['operations'][operation]
              for path in members(service, model(service)['operations'][operation]['input']['shape'])}
    assert set(WITHOUT_EFFECT) | ONLY_DEFAULTS <= served
