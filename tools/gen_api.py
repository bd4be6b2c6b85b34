#!/usr/bin/env python3
"""gen_api.py SERVICE|MODEL.json OUT.c -- writes a service model as the constant tables of src/call/model.h.

The model is the newest that botocore ships for SERVICE, or a file in the same form (the tests' own models).
All names stand once in one string pool and everything else refers to them by offset, shapes by index: the result is
read-only data without relocations. TRAITS lists every key that a model may have, place by place: what a server needs is
taken, what only clients or readers need is left out and says why. A key, or a value of a key, that is not listed stops
the generator, so that nothing is dropped unseen. tests/gen_api_test.py runs it over every service of botocore.
"""
import json
import pathlib
import re
import sys

TAKEN = None
DOC = 'documentation'
CLIENT = 'tells clients how to make requests; requests look the same to a server'
ENDPOINT = 'tells clients how to choose an endpoint'
EC2 = 'of the protocol ec2, which is not served'

# place: {key: TAKEN, or why it is left out}
TRAITS = {
    'model': {
        'metadata': TAKEN, 'operations': TAKEN, 'shapes': TAKEN, 'version': 'of the file format', 'documentation': DOC,
        'examples': DOC, 'clientContextParams': ENDPOINT, 'deprecated': DOC, 'deprecatedMessage': DOC},
    'metadata': {
        'apiVersion': TAKEN, 'endpointPrefix': TAKEN, 'protocol': TAKEN, 'protocols': TAKEN, 'signingName': TAKEN,
        'signatureVersion': TAKEN, 'auth': TAKEN, 'jsonVersion': TAKEN, 'targetPrefix': TAKEN, 'xmlNamespace': TAKEN,
        'awsQueryCompatible': TAKEN, 'serviceId': TAKEN, 'serviceFullName': DOC, 'serviceAbbreviation': DOC, 'uid': DOC,
        'ripServiceName': DOC, 'globalEndpoint': ENDPOINT, 'checksumFormat': CLIENT,
        'protocolSettings': 'HTTP/2 is the connection\'s matter: every operation answers over it'},
    'operation': {
        'name': 'with its version in old models; the key of the operation is its name', 'http': TAKEN, 'input': TAKEN,
        'output': TAKEN, 'errors': 'call_fail takes any error of the model', 'authtype': TAKEN, 'auth': TAKEN,
        'unsignedPayload': TAKEN, 'httpChecksum': TAKEN, 'httpChecksumRequired': TAKEN, 'requestcompression': TAKEN,
        'endpoint': TAKEN, 'deprecated': 'of two operations on one route the other is taken', 'deprecatedMessage': DOC,
        'deprecatedSince': DOC, 'documentation': DOC, 'documentationUrl': DOC, 'idempotent': CLIENT, 'readonly': CLIENT,
        'staticContextParams': ENDPOINT, 'operationContextParams': ENDPOINT, 'endpointdiscovery': ENDPOINT,
        'endpointoperation': ENDPOINT},
    'error reference': {'shape': TAKEN, 'documentation': DOC, 'error': 'as the shape has it', 'exception': 'as the shape has it',
                        'fault': 'as the shape has it'},
    'http': {'method': TAKEN, 'requestUri': TAKEN, 'responseCode': TAKEN},
    'endpoint': {'hostPrefix': TAKEN},
    'input': {'shape': TAKEN, 'locationName': TAKEN, 'xmlNamespace': TAKEN, 'documentation': DOC},
    'output': {'shape': TAKEN, 'resultWrapper': TAKEN, 'locationName': EC2, 'documentation': DOC,
               'wrapper': 'of models before 2015; where answers still have the element it is a member'},
    'httpChecksum': {
        'requestAlgorithmMember': TAKEN, 'requestChecksumRequired': TAKEN, 'requestValidationModeMember': TAKEN,
        'responseAlgorithms': TAKEN},
    'requestcompression': {'encodings': TAKEN},
    'xmlNamespace': {'uri': TAKEN, 'prefix': TAKEN},
    'shape': {
        'type': TAKEN, 'members': TAKEN, 'member': TAKEN, 'key': TAKEN, 'value': TAKEN, 'required': TAKEN, 'enum': TAKEN,
        'min': TAKEN, 'max': TAKEN, 'pattern': TAKEN, 'flattened': TAKEN, 'streaming': TAKEN, 'requiresLength': TAKEN,
        'payload': TAKEN, 'error': TAKEN, 'exception': TAKEN, 'fault': TAKEN, 'union': TAKEN, 'sensitive': TAKEN,
        'timestampFormat': TAKEN, 'event': TAKEN, 'eventstream': TAKEN, 'document': TAKEN, 'sparse': TAKEN,
        'locationName': TAKEN, 'xmlNamespace': TAKEN, 'documentation': DOC, 'deprecated': DOC, 'deprecatedMessage': DOC,
        'deprecatedSince': DOC, 'box': 'every member may be absent', 'retryable': CLIENT,
        'synthetic': 'made from an error code that the service only names', 'wrapper': 'see output',
        'xmlOrder': 'the order of elements in an answer, which no reader may rely on'},
    'error': {'httpStatusCode': TAKEN, 'code': TAKEN, 'senderFault': TAKEN, 'fault': TAKEN},
    'member': {
        'shape': TAKEN, 'location': TAKEN, 'locationName': TAKEN, 'flattened': TAKEN, 'jsonvalue': TAKEN,
        'timestampFormat': TAKEN, 'streaming': TAKEN, 'hostLabel': TAKEN, 'xmlNamespace': TAKEN, 'xmlAttribute': TAKEN,
        'eventpayload': TAKEN, 'eventheader': TAKEN, 'enum': TAKEN, 'idempotencyToken': 'clients fill it in where it is absent',
        'box': 'every member may be absent', 'queryName': EC2, 'contextParam': ENDPOINT, 'documentation': DOC,
        'deprecated': DOC, 'deprecatedMessage': DOC, 'deprecatedSince': DOC},
}

# What botocore's models of rest-xml leave to the clients' code, which reads any root element: the names of S3's answers, in
# alphabetical order of operations, from "Response Syntax" of its API reference. `bare`: the only member is the root itself.
XML_FORMS = {'s3': {
    'namespace': 'http://s3.amazonaws.com/doc/2006-03-01/', 'bare_errors': True, 'bare': {'GetBucketLocation'},
    'roots': {
        'CompleteMultipartUpload': 'CompleteMultipartUploadResult', 'CreateMultipartUpload': 'InitiateMultipartUploadResult',
        'CreateSession': 'CreateSessionResult', 'DeleteObjects': 'DeleteResult',
        'GetBucketAccelerateConfiguration': 'AccelerateConfiguration', 'GetBucketAcl': 'AccessControlPolicy',
        'GetBucketCors': 'CORSConfiguration', 'GetBucketLifecycleConfiguration': 'LifecycleConfiguration',
        'GetBucketLogging': 'BucketLoggingStatus', 'GetBucketNotificationConfiguration': 'NotificationConfiguration',
        'GetBucketRequestPayment': 'RequestPaymentConfiguration', 'GetBucketTagging': 'Tagging',
        'GetBucketVersioning': 'VersioningConfiguration', 'GetBucketWebsite': 'WebsiteConfiguration',
        'GetObjectAcl': 'AccessControlPolicy', 'GetObjectAttributes': 'GetObjectAttributesResponse', 'GetObjectTagging': 'Tagging',
        'ListBucketAnalyticsConfigurations': 'ListBucketAnalyticsConfigurationResult',
        'ListBucketInventoryConfigurations': 'ListInventoryConfigurationsResult',
        'ListBucketMetricsConfigurations': 'ListMetricsConfigurationsResult', 'ListBuckets': 'ListAllMyBucketsResult',
        'ListDirectoryBuckets': 'ListAllMyDirectoryBucketsResult', 'ListMultipartUploads': 'ListMultipartUploadsResult',
        'ListObjectVersions': 'ListVersionsResult', 'ListObjects': 'ListBucketResult', 'ListObjectsV2': 'ListBucketResult',
        'ListParts': 'ListPartsResult'}}}

TYPES = {'structure': 'MODEL_STRUCTURE', 'list': 'MODEL_LIST', 'map': 'MODEL_MAP', 'string': 'MODEL_STRING',
         'character': 'MODEL_STRING', 'blob': 'MODEL_BLOB', 'boolean': 'MODEL_BOOLEAN', 'integer': 'MODEL_INTEGER',
         'long': 'MODEL_LONG', 'float': 'MODEL_FLOAT', 'double': 'MODEL_DOUBLE', 'timestamp': 'MODEL_TIMESTAMP'}
LOCATIONS = {None: 'MODEL_IN_BODY', 'uri': 'MODEL_IN_URI', 'querystring': 'MODEL_IN_QUERY', 'header': 'MODEL_IN_HEADER',
             'headers': 'MODEL_IN_HEADERS', 'statusCode': 'MODEL_IN_STATUS'}
TIMES = {None: 'MODEL_TIME_DEFAULT', 'iso8601': 'MODEL_TIME_ISO8601', 'unixTimestamp': 'MODEL_TIME_EPOCH',
         'rfc822': 'MODEL_TIME_RFC822'}
PROTOCOLS = {'json': 'MODEL_JSON', 'rest-json': 'MODEL_REST_JSON', 'query': 'MODEL_QUERY', 'rest-xml': 'MODEL_REST_XML',
             'smithy-rpc-v2-cbor': 'MODEL_CBOR', 'ec2': 'MODEL_EC2'}
AUTH_KINDS = {'aws.auth#sigv4': 'MODEL_AUTH_SIGV4', 'aws.auth#sigv4a': 'MODEL_AUTH_SIGV4A',
              'smithy.api#httpBearerAuth': 'MODEL_AUTH_BEARER', 'smithy.api#noAuth': 'MODEL_AUTH_NONE'}
AUTH_TYPES = {'none': 'smithy.api#noAuth', 'v4': 'aws.auth#sigv4', 'v4-unsigned-body': 'aws.auth#sigv4',
              'bearer': 'smithy.api#httpBearerAuth'}
SIGNATURES = {'v4': 'aws.auth#sigv4', 's3': 'aws.auth#sigv4', 's3v4': 'aws.auth#sigv4', 'v2': 'aws.auth#sigv4',
              'bearer': 'smithy.api#httpBearerAuth'}
CHECKSUMS = {name: 'MODEL_CHECKSUM_' + name for name in (
    'CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256', 'SHA512', 'MD5', 'XXHASH64', 'XXHASH3', 'XXHASH128')}
ENCODINGS = {'gzip': 'GZIP'}
STATUSES = {200, 201, 202, 204}
SEGMENTS_MAX = 16


ROOT = pathlib.Path(__file__).resolve().parent.parent


def said(what, model):
    """The words of WHAT_model in the service.mk that has it (src/call/service.h)."""
    for path in ROOT.glob('src/services/*/service.mk'):
        found = re.search(rf'^{what}_{re.escape(model)} *:= *(.*)$', path.read_text(), re.MULTILINE)
        if found:
            return set(found[1].split())
    return set()



class Pool:
    """NUL-terminated strings, each once; offset 0 is the empty string."""

    def __init__(self):
        self.offsets = {'': 0}
        self.texts = ['']
        self.size = 1

    def at(self, text):
        if text is None:
            return 0
        if text not in self.offsets:
            self.offsets[text] = self.size
            self.texts.append(text)
            self.size += len(text.encode()) + 1
        return self.offsets[text]


def c_literal(text):
    out = []
    for byte in text.encode():
        char = chr(byte)
        if char in '"\\?':
            out.append('\\' + char)
        elif 32 <= byte < 127:
            out.append(char)
        else:
            out.append('\\%03o' % byte)
    return '"%s\\0"' % ''.join(out)


def members_of(shape):
    """(name, default wire name, reference) of each member of a shape."""
    if shape['type'] == 'structure':
        return [(name, name, ref) for name, ref in shape.get('members', {}).items()]
    if shape['type'] == 'list':
        return [('member', 'member', shape['member'])]
    if shape['type'] == 'map':
        return [('key', 'key', shape['key']), ('value', 'value', shape['value'])]
    return []


def references(shape):
    return [ref for _, _, ref in members_of(shape)]


def flag_list(prefix, flags):
    return ' | '.join(prefix + name for name, on in flags if on) or '0'


def check_traits(service, where, place, traits):
    unknown = set(traits) - set(TRAITS[place])
    if unknown:
        raise SystemExit(f'{service}: {where} has unknown {place} traits {sorted(unknown)}')


class Generator:
    def __init__(self, service, model):
        self.service = service
        self.overridden = said('OVERRIDDEN', service)
        self.model = model
        self.meta = model['metadata']
        self.shapes_in = dict(model['shapes'])
        self.check('the model', 'model', model)
        self.check('the metadata', 'metadata', self.meta)
        for word in sorted(said('REQUIRED', service)):
            name, member = word.split('.')
            shape = self.shapes_in[name]
            self.shapes_in[name] = {**shape, 'required': shape.get('required', []) + [member]}
        self.xml = self.xml_forms()
        self.lift_enums()
        self.names = sorted(self.shapes_in)
        self.index = {name: i for i, name in enumerate(self.names)}
        self.pool = Pool()
        self.enums, self.members, self.shapes, self.errors = [], [], [], []
        self.operations, self.routes, self.namespaces = [], [], [(None, None)]
        self.constrained = self.find_constrained()

    def fail(self, text):
        raise SystemExit(f'{self.service}: {text}')

    def check(self, where, place, traits):
        check_traits(self.service, where, place, traits)

    def one_of(self, table, value, what):
        if value not in table:
            self.fail(f'{what} is {value!r}, which is unknown')
        return table[value]

    def xml_forms(self):
        forms = XML_FORMS.get(self.service, {})
        unknown = (set(forms.get('roots', ())) | forms.get('bare', set())) - set(self.model['operations'])
        if unknown:
            self.fail(f'XML_FORMS has operations that the model has not: {sorted(unknown)}')
        return forms

    def xml_namespace(self):
        """The service's; where the model has none, the one that all its requests have."""
        spaces = {op['input']['xmlNamespace']['uri'] for op in self.model['operations'].values() if 'xmlNamespace' in op.get('input', {})}
        return self.meta.get('xmlNamespace') or self.xml.get('namespace') or (spaces.pop() if len(spaces) == 1 else None)

    def plain_json(self):
        """Whether the tree of an answer is its JSON: no member has another name on the wire, no time another form."""
        for shape in self.shapes_in.values():
            for name, wire, ref in members_of(shape):
                body = 'location' not in ref and shape['type'] == 'structure'
                if (body and ref.get('locationName', wire) != name) or 'timestampFormat' in ref:
                    return False
            if 'timestampFormat' in shape:
                return False
        return True

    def lift_enums(self):
        """A member with values of its own becomes a member of a shape of its own."""
        for name, shape in list(self.shapes_in.items()):
            for member, _, ref in members_of(shape):
                if 'enum' in ref:
                    lifted = f'{name}.{member}'
                    self.shapes_in[lifted] = {**self.shapes_in[ref['shape']], 'enum': ref['enum']}
                    members = {**shape['members'], member: {**ref, 'shape': lifted}}
                    shape = self.shapes_in[name] = {**shape, 'members': members}

    def find_constrained(self):
        """Names of the shapes that have a constraint somewhere within: a validator may skip all others."""
        users = {}
        for name, shape in self.shapes_in.items():
            for ref in references(shape):
                users.setdefault(ref['shape'], []).append(name)
        found = set()
        rest = [name for name, shape in self.shapes_in.items()
                if {'min', 'max', 'pattern', 'enum'} & set(shape) or shape.get('required')]
        while rest:
            name = rest.pop()
            if name not in found:
                found.add(name)
                rest += users.get(name, [])
        return found

    def namespace(self, trait):
        """Index in the table of namespaces; 0: none."""
        if trait is None:
            return 0
        self.check('an XML namespace', 'xmlNamespace', trait)
        pair = (trait.get('prefix'), trait['uri'])
        if pair not in self.namespaces:
            self.namespaces.append(pair)
        if len(self.namespaces) > 255:
            self.fail('it has too many XML namespaces')
        return self.namespaces.index(pair)

    def bound(self, name, shape, key):
        """min or max: a whole number, or for a float or double any."""
        value = shape.get(key, 0)
        if shape['type'] in ('float', 'double'):
            return '{.real = %r}' % float(value)
        if value != int(value):
            self.fail(f'shape {name} has the {key} {value}')
        return '{.whole = %d}' % int(value)

    def shape(self, number, name):
        shape = self.shapes_in[name]
        self.check(f'shape {name}', 'shape', shape)
        error = shape.get('error', {})
        self.check(f'shape {name}', 'error', error)
        is_error = 'error' in shape or shape.get('exception', False)
        flags = flag_list('MODEL_SHAPE_', (
            ('ERROR', is_error), ('FAULT', shape.get('fault') or error.get('fault')), ('HAS_MIN', 'min' in shape),
            ('HAS_MAX', 'max' in shape), ('FLATTENED', shape.get('flattened')), ('STREAMING', shape.get('streaming')),
            ('UNION', shape.get('union')), ('SENSITIVE', shape.get('sensitive')), ('CONSTRAINED', name in self.constrained),
            ('OVERRIDDEN', name in self.overridden), ('SENDER', error.get('senderFault')),
            ('EVENTSTREAM', shape.get('eventstream')), ('EVENT', shape.get('event')), ('DOCUMENT', shape.get('document')),
            ('SPARSE', shape.get('sparse')), ('REQUIRES_LENGTH', shape.get('requiresLength'))))
        if is_error:
            self.errors.append(number)
        first_enum, first_member = len(self.enums), len(self.members)
        self.enums += [self.pool.at(v) for v in shape.get('enum', [])]
        members = members_of(shape)
        for member in members:
            self.member(name, shape, *member)
        payload = 0
        if 'payload' in shape:
            payload = 1 + [m[0] for m in members].index(shape['payload'])
        code = error.get('code')
        self.shapes.append('{%d, %s, %s, %s, %s, %s, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d}' % (
            self.pool.at(name), self.one_of(TYPES, shape['type'], f'the type of {name}'),
            self.one_of(TIMES, shape.get('timestampFormat'), f'the time of {name}'), flags, self.bound(name, shape, 'min'),
            self.bound(name, shape, 'max'), self.pool.at(shape.get('pattern')), first_enum, len(shape.get('enum', [])),
            len(members), first_member, error.get('httpStatusCode', 0), self.namespace(shape.get('xmlNamespace')),
            self.pool.at(code if code != name else None), payload, len(shape.get('required', [])),
            self.pool.at(shape.get('locationName'))))

    def member(self, owner, shape, name, wire, ref):
        self.check(f'member {owner}.{name}', 'member', ref)
        wire = ref.get('locationName', wire)
        flags = flag_list('MODEL_MEMBER_', (
            ('REQUIRED', name in shape.get('required', [])), ('FLATTENED', ref.get('flattened')),
            ('JSONVALUE', ref.get('jsonvalue')), ('ATTRIBUTE', ref.get('xmlAttribute')), ('HOST_LABEL', ref.get('hostLabel')),
            ('EVENT_PAYLOAD', ref.get('eventpayload')), ('EVENT_HEADER', ref.get('eventheader'))))
        if len(name) > 255 or len(wire) > 255:
            self.fail(f'the name {owner}.{name} is too long')
        self.members.append('{%d, %d, %d, %s, %s, %s, %d, %d, %d}' % (
            self.pool.at(name), self.pool.at(wire), self.index[ref['shape']],
            self.one_of(LOCATIONS, ref.get('location'), f'the location of {owner}.{name}'), flags,
            self.one_of(TIMES, ref.get('timestampFormat'), f'the time of {owner}.{name}'), len(name), len(wire),
            self.namespace(ref.get('xmlNamespace'))))

    # ---- operations ----

    def auth_kinds(self, where, op):
        """What may authenticate: the operation's word, the service's, or what its kind of signature implies."""
        kinds = op.get('auth') or ('authtype' in op and [self.one_of(AUTH_TYPES, op['authtype'], f'authtype of {where}')])
        kinds = kinds or self.meta.get('auth') or [self.one_of(SIGNATURES, self.meta['signatureVersion'], 'signatureVersion')]
        return ' | '.join(self.one_of(AUTH_KINDS, kind, f'auth of {where}') for kind in kinds)

    def body_kind(self, op, part):
        """'EVENTS' or 'STREAM' for a body that comes or goes piece by piece, else None."""
        shape = self.shapes_in[op[part]['shape']] if part in op else {}
        for name, ref in shape.get('members', {}).items():
            target = self.shapes_in[ref['shape']]
            if target.get('eventstream'):
                return 'EVENTS'
            if name == shape.get('payload') and target['type'] == 'blob' and (target.get('streaming') or ref.get('streaming')):
                return 'STREAM'
        return None

    def checksum(self, where, op):
        """(algorithm member, mode member, algorithms of answers): members as 1 + index within the input's."""
        trait = op.get('httpChecksum', {})
        self.check(where, 'httpChecksum', trait)
        names = list(self.shapes_in[op['input']['shape']].get('members', {})) if 'input' in op else []
        places = []
        for key in ('requestAlgorithmMember', 'requestValidationModeMember'):
            if key in trait and trait[key] not in names:
                self.fail(f'{where} names the member {trait[key]}, which it does not have')
            places.append(1 + names.index(trait[key]) if key in trait else 0)
        algorithms = [self.one_of(CHECKSUMS, name, f'a checksum of {where}') for name in trait.get('responseAlgorithms', [])]
        return *places, ' | '.join(algorithms) or '0'

    def operation_flags(self, where, op):
        compression = op.get('requestcompression', {})
        self.check(where, 'requestcompression', compression)
        for encoding in compression.get('encodings', []):
            self.one_of(ENCODINGS, encoding, f'an encoding of {where}')
        required = op.get('httpChecksumRequired') or op.get('httpChecksum', {}).get('requestChecksumRequired')
        unsigned = op.get('unsignedPayload') or op.get('authtype') == 'v4-unsigned-body'
        taken, given = self.body_kind(op, 'input'), self.body_kind(op, 'output')
        return flag_list('MODEL_OP_', (
            ('UNSIGNED_BODY', unsigned), ('EVENTS_IN', taken == 'EVENTS'), ('EVENTS_OUT', given == 'EVENTS'),
            ('STREAM_IN', taken == 'STREAM'), ('STREAM_OUT', given == 'STREAM'), ('CHECKSUM_REQUIRED', required),
            ('GZIP', compression.get('encodings')), ('BARE_OUTPUT', op['name'] in self.xml.get('bare', ()))))

    def operation(self, number, name):
        op = self.model['operations'][name]
        where = f'operation {name}'
        self.check(where, 'operation', op)
        for part in ('http', 'endpoint', 'input', 'output'):
            self.check(where, part, op.get(part, {}))
        for error in op.get('errors', []):
            self.check(where, 'error reference', error)
        http, source, result = op['http'], op.get('input', {}), op.get('output', {})
        path, _, query = http.get('requestUri', '/').partition('?')
        status = http.get('responseCode', 200)
        if status not in STATUSES:
            self.fail(f'{where} answers {status}')
        if result.get('resultWrapper', name + 'Result') != name + 'Result':
            self.fail(f'{name} wraps its result in {result["resultWrapper"]}')

        def shape(part):
            if part not in op:
                return 0
            if self.shapes_in[op[part]['shape']]['type'] != 'structure':
                self.fail(f'{where}: its {part} is no structure')
            return 1 + self.index[op[part]['shape']]
        self.operations.append('{%d, %d, %d, %d, %d, %d, %s, %s, %d, %d, %d, %d, %d, %d, %s}' % (
            self.pool.at(name), self.pool.at(http['method']), self.pool.at(path), shape('input'), shape('output'), status,
            self.operation_flags(where, op), self.auth_kinds(where, op), self.namespace(source.get('xmlNamespace')),
            self.pool.at(op.get('endpoint', {}).get('hostPrefix')), self.pool.at(source.get('locationName')),
            self.pool.at(self.xml.get('roots', {}).get(name)), *self.checksum(where, op)))
        self.routes.append((number, op, http['method'], [s for s in path.split('/') if s], query))

    def selectors(self, op):
        """The required parameters and headers of an operation: they tell operations of one route apart."""
        shape = self.shapes_in[op['input']['shape']] if 'input' in op else {}
        members = shape.get('members', {})
        required = [members[name] for name in shape.get('required', [])]
        marks = {'querystring': '?', 'header': ':'}
        return {marks[ref['location']] + ref['locationName'] for ref in required if ref.get('location') in marks}

    def route_rows(self):
        """Rows in the order in which routes are tried: a static segment before a label before a greedy label, more
        segments first, query constants and selectors before none."""
        groups, rows = {}, []
        for number, op, method, segments, query in self.routes:
            if any('{' in s and (s[0] != '{' or s.index('}') != len(s) - 1) for s in segments) or len(segments) > SEGMENTS_MAX \
                    or sum(s.endswith('+}') for s in segments) > 1:
                self.fail(f'the route of {op["name"]} is beyond the router')
            rank = [2 if s.endswith('+}') else 1 if s.startswith('{') else 0 for s in segments]
            same = (method, *(s if r == 0 else r for s, r in zip(segments, rank)), query)
            groups.setdefault(same, []).append((number, op, rank, segments, query))
        for group in groups.values():
            needs = [self.selectors(op) for _, op, *_ in group]
            common = set.intersection(*needs)
            for i, (number, op, rank, segments, query) in enumerate(group):
                own = needs[i] - common
                twin = [j for j in range(len(group)) if j != i and needs[j] - common == own]
                newer = [j for j in twin if not group[j][1].get('deprecated') and (op.get('deprecated') or j > i)]
                if newer:       # reached by name only, in the protocols that have names
                    continue
                greedy = 1 + rank.index(2) if 2 in rank else 0
                order = (rank + [3] * (SEGMENTS_MAX - len(rank)), -len(query.split('&')) if query else 0, -len(own), number)
                rows.append((order, '{%d, %d, %d, %d, %d}' % (
                    number, len(segments), greedy, self.pool.at(query), self.pool.at(' '.join(sorted(own))))))
        return [row for _, row in sorted(rows)]

    # ---- output ----

    def make(self):
        for number, name in enumerate(self.names):
            self.shape(number, name)
        for number, name in enumerate(sorted(self.model['operations'])):
            self.operation(number, name)
        if max(len(self.shapes), len(self.enums), len(self.operations)) > 65534:
            self.fail('it has too many shapes, values or operations')

    def write(self, out):
        self.make()
        protocols = self.meta.get('protocols') or [self.meta['protocol']]
        rows = self.route_rows() if any(p.startswith('rest-') for p in protocols) else []

        def table(kind, name, values, per_line=1):
            out.write(f'static const {kind} {name}[] = {{\n')
            for i in range(0, len(values), per_line):
                out.write('    ' + ', '.join(str(v) for v in values[i:i + per_line]) + ',\n')
            out.write('    ' + ('{0}' if kind.startswith('struct') else '0') + '};\n')

        def text(value):
            return '"%s"' % value if value else 'NULL'

        def flag(value):
            return 'true' if value else 'false'
        namespaces = ['{%d, %d}' % (self.pool.at(prefix), self.pool.at(uri)) for prefix, uri in self.namespaces]
        out.write(f'/* {self.service}: made by tools/gen_api.py from the model of API version {self.meta["apiVersion"]}. */\n'
                  '#include "call/model.h"\n\n')
        table('struct model_shape', 'shapes', self.shapes)
        table('struct model_member', 'members', self.members)
        table('uint32_t', 'enums', self.enums, 16)
        table('struct model_operation', 'operations', self.operations)
        table('struct model_route', 'routes', rows)
        table('struct model_namespace', 'namespaces', namespaces)
        table('uint16_t', 'errors', self.errors, 16)
        out.write('static const char pool[] =\n')
        for entry in self.pool.texts:
            out.write('    ' + c_literal(entry) + '\n')
        out.write(';\n')
        kinds = [self.one_of(PROTOCOLS, p, 'a protocol') for p in protocols]
        out.write(f'''const struct model model_{self.service.replace('-', '_')} = {{
    .service = "{self.service}", .signing_name = "{self.meta.get('signingName', self.meta['endpointPrefix'])}",
    .endpoint_prefix = "{self.meta['endpointPrefix']}", .service_id = "{self.meta.get('serviceId', '')}",
    .target_prefix = {text(self.meta.get('targetPrefix'))}, .json_version = {text(self.meta.get('jsonVersion'))},
    .api_version = "{self.meta['apiVersion']}", .xml_namespace = {text(self.xml_namespace())},
    .protocol = {self.one_of(PROTOCOLS, self.meta['protocol'], 'the protocol')},
    .protocols = {' | '.join('1u << ' + kind for kind in kinds)},
    .query_compatible = {flag('awsQueryCompatible' in self.meta)}, .bare_errors = {flag(self.xml.get('bare_errors'))},
    .plain_json = {flag(self.plain_json())}, .signs_as_s3 = {flag(self.meta['signatureVersion'] in ('s3', 's3v4'))},
    .pool = pool, .shapes = shapes, .members = members, .enums = enums,
    .operations = operations, .routes = routes, .namespaces = namespaces, .errors = errors,
    .shape_count = {len(self.shapes)}, .operation_count = {len(self.operations)}, .route_count = {len(rows)},
    .error_count = {len(self.errors)},
}};
''')


def main():
    if len(sys.argv) != 3:
        sys.exit('usage: gen_api.py SERVICE|MODEL.json OUT.c')
    source, target = sys.argv[1:]
    if source.endswith('.json'):
        with open(source, encoding='utf-8') as file:
            service, model = source.rsplit('/', 1)[-1].removesuffix('.json'), json.load(file)
    else:
        from botocore.loaders import Loader
        service, model = source, Loader().load_service_model(source, 'service-2')
    with open(target, 'w', encoding='ascii') as out:
        Generator(service, model).write(out)


if __name__ == '__main__':
    main()
