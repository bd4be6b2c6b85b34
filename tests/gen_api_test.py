"""tools/gen_api.py over every service model that botocore ships, in memory; and over models with something it must not let pass."""
import copy
import io
import json
import re
import sys
from pathlib import Path

import botocore.loaders
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'tools'))
import gen_api      # noqa: E402

LOADER = botocore.loaders.Loader()
# The smallest model with a bit of everything.
MODEL = {
    'metadata': {'apiVersion': '2026-01-01', 'endpointPrefix': 'plain', 'protocol': 'rest-json', 'signatureVersion': 'v4'},
    'operations': {'Put': {'name': 'Put', 'http': {'method': 'PUT', 'requestUri': '/things/{Id}'}, 'input': {'shape': 'PutInput'},
                           'output': {'shape': 'PutOutput'}, 'errors': [{'shape': 'Gone'}]}},
    'shapes': {
        'PutInput': {'type': 'structure', 'required': ['Id'],
                     'members': {'Id': {'shape': 'Text', 'location': 'uri', 'locationName': 'Id'}, 'Tags': {'shape': 'Tags'}}},
        'PutOutput': {'type': 'structure', 'members': {'When': {'shape': 'Time'}}},
        'Gone': {'type': 'structure', 'members': {'message': {'shape': 'Text'}}, 'error': {'httpStatusCode': 410}, 'exception': True},
        'Tags': {'type': 'list', 'member': {'shape': 'Text'}, 'max': 5}, 'Text': {'type': 'string'}, 'Time': {'type': 'timestamp'}},
}


def generate(service, model):
    out = io.StringIO()
    gen_api.Generator(service, model).write(out)
    return out.getvalue()


def services():
    return LOADER.list_available_services('service-2')


def test_every_service_of_botocore_is_written():
    counted = 0
    for service in services():
        model = LOADER.load_service_model(service, 'service-2')
        text = generate(service, model)
        names = re.findall(r'^const struct model model_(\w+) = ', text, re.MULTILINE)
        assert names == [service.replace('-', '_')]
        assert 'query' not in model['metadata'].get('protocols', [model['metadata']['protocol']]) or 'MODEL_OP_EVENTS' not in text
        assert f'.operation_count = {len(model["operations"])}' in text
        counted += 1
    assert counted > 400


def test_every_older_version_is_written():
    for service in services():
        for version in LOADER.list_api_versions(service, 'service-2')[:-1]:
            generate(service, LOADER.load_service_model(service, 'service-2', version))


def test_the_small_model_passes():
    text = generate('plain', MODEL)
    assert '.protocols = 1u << MODEL_REST_JSON' in text and '.route_count = 1' in text


# Where a key of somebody's own is put, and the place that the message names.
PLACES = {
    'model': lambda m: m, 'metadata': lambda m: m['metadata'], 'operation': lambda m: m['operations']['Put'],
    'http': lambda m: m['operations']['Put']['http'], 'input': lambda m: m['operations']['Put']['input'],
    'output': lambda m: m['operations']['Put']['output'], 'error reference': lambda m: m['operations']['Put']['errors'][0],
    'endpoint': lambda m: m['operations']['Put'].setdefault('endpoint', {'hostPrefix': 'x.'}),
    'httpChecksum': lambda m: m['operations']['Put'].setdefault('httpChecksum', {}),
    'requestcompression': lambda m: m['operations']['Put'].setdefault('requestcompression', {'encodings': ['gzip']}),
    'shape': lambda m: m['shapes']['Text'], 'error': lambda m: m['shapes']['Gone']['error'],
    'member': lambda m: m['shapes']['PutInput']['members']['Id'],
    'xmlNamespace': lambda m: m['shapes']['PutInput'].setdefault('xmlNamespace', {'uri': 'urn:x'}),
}


def test_every_place_is_tried():
    assert set(PLACES) == set(gen_api.TRAITS)


@pytest.mark.parametrize('place', PLACES)
def test_an_unknown_trait_stops_it(place):
    model = copy.deepcopy(MODEL)
    PLACES[place](model)
    generate('plain', model)
    PLACES[place](model)['madeUpTrait'] = True
    with pytest.raises(SystemExit, match=f'unknown {place} traits .*madeUpTrait'):
        generate('plain', model)


@pytest.mark.parametrize('path, value, message', [
    (('metadata', 'protocol'), 'smoke-signals', 'smoke-signals'), (('metadata', 'protocols'), ['json', 'xmlrpc'], 'xmlrpc'),
    (('metadata', 'signatureVersion'), 'v9', 'v9'), (('operations', 'Put', 'authtype'), 'handshake', 'handshake'),
    (('operations', 'Put', 'auth'), ['aws.auth#sigv9'], 'sigv9'), (('operations', 'Put', 'http', 'responseCode'), 299, '299'),
    (('operations', 'Put', 'requestcompression'), {'encodings': ['brotli']}, 'brotli'),
    (('operations', 'Put', 'httpChecksum'), {'responseAlgorithms': ['CRC7']}, 'CRC7'),
    (('operations', 'Put', 'httpChecksum'), {'requestAlgorithmMember': 'None'}, 'does not have'),
    (('operations', 'Put', 'http', 'requestUri'), '/a{Id}', 'beyond the router'),
    (('operations', 'Put', 'http', 'requestUri'), '/{a+}/b/{c+}', 'beyond the router'),
    (('operations', 'Put', 'output', 'resultWrapper'), 'Other', 'wraps its result in Other'),
    (('shapes', 'Text', 'type'), 'bigInteger', 'bigInteger'), (('shapes', 'Tags', 'max'), 1.5, '1.5'),
    (('shapes', 'Time', 'timestampFormat'), 'stardate', 'stardate'),
    (('shapes', 'PutInput', 'members', 'Id', 'location'), 'cookie', 'cookie'),
    (('operations', 'Put', 'output', 'shape'), 'Text', 'is no structure')])
def test_an_unknown_value_stops_it(path, value, message):
    model = copy.deepcopy(MODEL)
    at = model
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(SystemExit, match=re.escape(message)):
        generate('plain', model)


def rows(text, table):
    return re.search(r'%s\[\] = \{\n(.*?)\n\};' % table, text, re.DOTALL)[1].splitlines()


def test_operations_on_one_route_are_told_apart():
    """PUT /{Bucket}/{Key+} is four operations of S3: those that require more come first."""
    model = LOADER.load_service_model('s3', 'service-2')
    generator = gen_api.Generator('s3', model)
    generator.make()
    names, pool = sorted(model['operations']), {}
    routes = generator.route_rows()
    pool.update({offset: text for text, offset in generator.pool.offsets.items()})
    found = []
    for row in routes:
        number, _, _, query, needs = map(int, row.strip('{}').split(','))
        op = model['operations'][names[number]]
        if op['http']['method'] == 'PUT' and op['http']['requestUri'] == '/{Bucket}/{Key+}':
            assert pool[query] == ''
            found.append((names[number], pool[needs]))
    assert found == [('UploadPartCopy', ':x-amz-copy-source ?partNumber ?uploadId'), ('UploadPart', '?partNumber ?uploadId'),
                     ('CopyObject', ':x-amz-copy-source'), ('PutObject', '')]


def test_what_a_server_needs_is_in_the_tables():
    def operation(service, name):
        generator = gen_api.Generator(service, LOADER.load_service_model(service, 'service-2'))
        generator.make()
        return generator.operations[sorted(generator.model['operations']).index(name)]
    assert 'MODEL_AUTH_NONE' in operation('cognito-idp', 'InitiateAuth')
    assert 'MODEL_OP_EVENTS_OUT' in operation('kinesis', 'SubscribeToShard')
    assert 'MODEL_OP_STREAM_IN' in operation('s3', 'PutObject') and 'MODEL_OP_STREAM_OUT' in operation('s3', 'GetObject')
    assert 'MODEL_CHECKSUM_CRC64NVME' in operation('s3', 'GetObject')
    assert 'MODEL_OP_GZIP' in operation('cloudwatch', 'PutMetricData')
    assert 'MODEL_OP_UNSIGNED_BODY' in operation('lexv2-runtime', 'StartConversation') or \
        'MODEL_OP_UNSIGNED_BODY' in operation('lex-runtime', 'PostContent')
    assert 'MODEL_OP_CHECKSUM_REQUIRED' in operation('s3', 'DeleteObjects')


def test_answers_of_s3_have_their_names():
    text = generate('s3', LOADER.load_service_model('s3', 'service-2'))
    assert '.bare_errors = true' in text and '.xml_namespace = "http://s3.amazonaws.com/doc/2006-03-01/"' in text
    assert '"ListAllMyBucketsResult\\0"' in text and text.count('MODEL_OP_BARE_OUTPUT') == 1
    assert '.xml_namespace = "https://route53.amazonaws.com/doc/2013-04-01/"' in generate('route53', LOADER.load_service_model('route53', 'service-2'))


def test_a_model_in_a_file_has_the_name_of_the_file(tmp_path):
    source, target = tmp_path / 'plain.json', tmp_path / 'plain.c'
    source.write_text(json.dumps(MODEL))
    sys.argv, before = ['gen_api.py', str(source), str(target)], sys.argv
    try:
        gen_api.main()
    finally:
        sys.argv = before
    assert target.read_text() == generate('plain', MODEL)
