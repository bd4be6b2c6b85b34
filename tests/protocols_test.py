"""tests/corpus/protocols/coverage.json against the cases beside it: each of Smithy's protocol tests that concerns a server stands for cases
of ours, or is left out with a reason. The cases themselves run in tests/unit/wire/protocols_test.c.
And botocore, which shares nothing with this program, reads every answer among them as what was to be said."""
import base64
import datetime
import fnmatch
import json
from pathlib import Path

import botocore.model
import botocore.parsers
import pytest

CORPUS = Path(__file__).resolve().parent / 'corpus/protocols'
FILES = json.loads((CORPUS / 'coverage.json').read_text())['files']
NAMES = [case['name'] for path in sorted(CORPUS.glob('*.json')) if path.name != 'coverage.json'
         for case in json.loads(path.read_text())['cases']]


def test_names_of_cases_are_unique():
    assert len(NAMES) == len(set(NAMES)) and len(NAMES) > 500


def test_every_pattern_names_a_case():
    assert [(f['file'], pattern) for f in FILES for pattern in f.get('cases', []) if not fnmatch.filter(NAMES, pattern)] == []


def test_every_id_is_covered_or_left_out_with_a_reason():
    for f in FILES:
        left = [i for reason in f.get('left_out', []) for i in reason['ids']]
        assert all(reason['why'] for reason in f.get('left_out', []))
        assert bool(f.get('ids')) == bool(f.get('cases')) and (f.get('ids') or left), f['file']
        assert len(set(f.get('ids', []) + left)) == len(f.get('ids', []) + left), f['file']


def test_what_is_left_out_is_the_smaller_part():
    covered = sum(len(f.get('ids', [])) for f in FILES)
    left = sum(len(reason['ids']) for f in FILES for reason in f.get('left_out', []))
    assert covered > 450 and covered > 2 * left


# ---- what we write, as AWS's own client reads it ----

MODELS = CORPUS.parent.parent / 'unit/wire/models'
PROTOCOLS = {'json': 'json', 'rest_json': 'rest-json', 'rest_xml': 'rest-xml', 'query': 'query', 'cbor': 'smithy-rpc-v2-cbor'}
# Answers that botocore reads otherwise than they are meant: it fills in empty maps, structures and the status, drops nulls of maps,
# takes raw bodies as they come,
# and cuts lists in headers at every comma. Query's times have no fraction.
OTHERWISE = {'cbor: nulls of sparse collections are written', 'query: times are written', 'rest-xml: text is escaped',
             'rest-xml: no structure as the answer', 'rest-json: headers are written', 'rest-xml: headers are written'}
NO_NUMBERS = {'nan': 'NaN', 'inf': 'Infinity', '-inf': '-Infinity'}
FILLED_IN = {'Prefixed', 'Status', 'Data'}


class Headers(dict):
    """Names in any case, as of HTTP."""

    def get(self, name, default=None):
        return next((value for key, value in self.items() if key.lower() == name.lower()), default)

    def __getitem__(self, name):
        return self.get(name)

    def __contains__(self, name):
        return self.get(name) is not None


def as_client(shape, value):
    """A tree of ours in the types of botocore."""
    if value is None or getattr(shape, 'is_document_type', False):
        return value
    if shape.type_name == 'structure':
        return {name: as_client(shape.members[name], child) for name, child in value.items()}
    if shape.type_name == 'list':
        return [as_client(shape.member, child) for child in value]
    if shape.type_name == 'map':
        return {key: as_client(shape.value, child) for key, child in value.items()}
    if shape.type_name == 'timestamp':
        return datetime.datetime.fromtimestamp(float(value), datetime.timezone.utc)
    if shape.type_name == 'blob':
        return base64.b64decode(value)
    return float(value) if shape.type_name in ('float', 'double') and not isinstance(value, str) else value


def plain(value):
    if isinstance(value, dict):
        return {name: plain(child) for name, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    return NO_NUMBERS.get(repr(value), value) if isinstance(value, float) else value


def answers():
    for file, protocol in PROTOCOLS.items():
        for case in json.loads((CORPUS / f'{file}.json').read_text())['cases']:
            if 'answer' in case and 'error' not in case and 'payload' not in case and case['name'] not in OTHERWISE:
                yield pytest.param(protocol, case, id=case['name'])


@pytest.mark.parametrize('protocol, case', answers())
def test_botocore_reads_what_we_write(protocol, case):
    service = botocore.model.ServiceModel(json.loads((MODELS / f'{case["api"]}.json').read_text()), case['api'])
    shape, answer = service.operation_model(case['operation']).output_shape, case['answer']
    body = bytes.fromhex(answer['hex']) if 'hex' in answer else (json.dumps(answer['json']) if 'json' in answer else answer['body']).encode()
    headers = Headers({name: value for name, value in answer.get('headers', {}).items() if value is not None})
    read = botocore.parsers.create_parser(protocol).parse({'headers': headers, 'status_code': answer.get('status', 200), 'body': body}, shape)
    wanted = as_client(shape, case.get('output') or {}) if shape else {}
    read = {name: value for name, value in plain(read).items() if name != 'ResponseMetadata' and (name in wanted or name not in FILLED_IN)}
    if isinstance(wanted.get('Data'), bytes):
        read['Data'] = read['Data'].encode()
    assert read == wanted
