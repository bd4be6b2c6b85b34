#!/usr/bin/env python3
"""gen_api.py SERVICE OUT.c -- writes a service model of botocore as the constant tables of src/api/model.h.

All names stand once in one string pool and everything else refers to them by offset, shapes by index: the result is
read-only data without relocations. Documentation, deprecations, examples and client hints are left out. Fails on
anything in a model that the tables cannot express, so that nothing is dropped unseen.
"""
import sys

from botocore.loaders import Loader

TYPES = {'structure': 'MODEL_STRUCTURE', 'list': 'MODEL_LIST', 'map': 'MODEL_MAP', 'string': 'MODEL_STRING',
         'character': 'MODEL_STRING', 'blob': 'MODEL_BLOB', 'boolean': 'MODEL_BOOLEAN', 'integer': 'MODEL_INTEGER',
         'long': 'MODEL_LONG', 'float': 'MODEL_FLOAT', 'double': 'MODEL_DOUBLE', 'timestamp': 'MODEL_TIMESTAMP'}
LOCATIONS = {None: 'MODEL_IN_BODY', 'uri': 'MODEL_IN_URI', 'querystring': 'MODEL_IN_QUERY', 'header': 'MODEL_IN_HEADER',
             'headers': 'MODEL_IN_HEADERS', 'statusCode': 'MODEL_IN_STATUS'}
TIMES = {None: 'MODEL_TIME_DEFAULT', 'iso8601': 'MODEL_TIME_ISO8601', 'unixTimestamp': 'MODEL_TIME_EPOCH',
         'rfc822': 'MODEL_TIME_RFC822'}
PROTOCOLS = {'json': 'MODEL_JSON', 'rest-json': 'MODEL_REST_JSON', 'query': 'MODEL_QUERY'}

# Shapes whose constraints AWS does not keep as the model says: the rows stand in src/api/validate_override.c.
OVERRIDDEN = {'dynamodb': {'TableArn', 'PositiveIntegerObject', 'KeySchema'}}
# Members that the model calls optional for the sake of a feature that is not served (tables made from another account's).
REQUIRED = {('dynamodb', 'CreateTableInput'): ['AttributeDefinitions', 'KeySchema']}

SHAPE_KEYS = {'type', 'members', 'member', 'key', 'value', 'required', 'enum', 'min', 'max', 'pattern', 'flattened',
              'streaming', 'payload', 'error', 'exception', 'fault', 'union', 'sensitive', 'timestampFormat',
              'documentation', 'deprecated', 'deprecatedMessage', 'box', 'retryable', 'synthetic', 'event',
              'eventstream', 'locationName'}
MEMBER_KEYS = {'shape', 'location', 'locationName', 'flattened', 'jsonvalue', 'timestampFormat', 'documentation',
               'deprecated', 'deprecatedMessage', 'box', 'streaming', 'idempotencyToken', 'contextParam',
               'eventpayload', 'sensitive'}


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


def route_key(segments, query):
    """The order in which routes are tried: a static segment before a label before a greedy label, more segments first,
    one with a query constant before the same without."""
    rank = [2 if s.endswith('+}') else 1 if s.startswith('{') else 0 for s in segments]
    return rank + [3] * (16 - len(rank)), not query


class Generator:
    def __init__(self, service):
        self.service = service
        self.model = Loader().load_service_model(service, 'service-2')
        self.meta = self.model['metadata']
        for (owner, name), members in REQUIRED.items():
            if owner == service:
                self.model['shapes'][name].setdefault('required', []).extend(members)
        self.names = sorted(self.model['shapes'])
        self.index = {name: i for i, name in enumerate(self.names)}
        self.pool = Pool()
        self.enums, self.members, self.shapes, self.errors = [], [], [], []
        self.operations, self.routes = [], []
        self.constrained = self.find_constrained()

    def find_constrained(self):
        """Names of the shapes that have a constraint somewhere within: a validator may skip all others."""
        shapes = self.model['shapes']
        found = {name for name, shape in shapes.items()
                 if {'min', 'max', 'pattern', 'enum'} & set(shape) or shape.get('required')}
        while True:
            more = {name for name, shape in shapes.items()
                    if name not in found and any(ref['shape'] in found for _, _, ref in members_of(shape))}
            if not more:
                return found
            found |= more

    def shape(self, number, name):
        shape = self.model['shapes'][name]
        unknown = set(shape) - SHAPE_KEYS
        if unknown:
            raise SystemExit(f'{self.service}: shape {name} has unknown traits {sorted(unknown)}')
        error = shape.get('error', {})
        is_error = 'error' in shape or shape.get('exception', False)
        flags = [f for f, on in (('ERROR', is_error), ('FAULT', shape.get('fault')), ('HAS_MIN', 'min' in shape),
                                 ('HAS_MAX', 'max' in shape), ('FLATTENED', shape.get('flattened')),
                                 ('STREAMING', shape.get('streaming')), ('UNION', shape.get('union')),
                                 ('SENSITIVE', shape.get('sensitive')), ('CONSTRAINED', name in self.constrained),
                                 ('OVERRIDDEN', name in OVERRIDDEN.get(self.service, ()))) if on]
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
        self.shapes.append('{%d, %s, %s, %s, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d}' % (
            self.pool.at(name), TYPES[shape['type']], TIMES[shape.get('timestampFormat')],
            ' | '.join('MODEL_SHAPE_' + f for f in flags) or '0', int(shape.get('min', 0)), int(shape.get('max', 0)),
            self.pool.at(shape.get('pattern')), first_enum, len(shape.get('enum', [])), len(members), first_member,
            error.get('httpStatusCode', 0), self.pool.at(code if code != name else None), payload,
            len(shape.get('required', []))))

    def member(self, owner, shape, name, wire, ref):
        unknown = set(ref) - MEMBER_KEYS
        if unknown:
            raise SystemExit(f'{self.service}: member {owner}.{name} has unknown traits {sorted(unknown)}')
        wire = ref.get('locationName', wire)
        flags = [f for f, on in (('REQUIRED', name in shape.get('required', [])), ('FLATTENED', ref.get('flattened')),
                                 ('JSONVALUE', ref.get('jsonvalue'))) if on]
        if len(name) > 255 or len(wire) > 255:
            raise SystemExit(f'{self.service}: the name {owner}.{name} is too long')
        self.members.append('{%d, %d, %d, %s, %s, %s, %d, %d}' % (
            self.pool.at(name), self.pool.at(wire), self.index[ref['shape']], LOCATIONS[ref.get('location')],
            ' | '.join('MODEL_MEMBER_' + f for f in flags) or '0', TIMES[ref.get('timestampFormat')], len(name),
            len(wire)))

    def operation(self, number, name):
        op = self.model['operations'][name]
        http = op['http']
        path, _, query = http.get('requestUri', '/').partition('?')
        wrapper = op.get('output', {}).get('resultWrapper', name + 'Result')
        if wrapper != name + 'Result':
            raise SystemExit(f'{self.service}: {name} wraps its result in {wrapper}')

        def shape(part):
            return 1 + self.index[op[part]['shape']] if part in op else 0
        self.operations.append('{%d, %d, %d, %d, %d, %d}' % (
            self.pool.at(name), self.pool.at(http['method']), self.pool.at(path), shape('input'), shape('output'),
            http.get('responseCode', 200)))
        segments = [s for s in path.split('/') if s]
        if any(s.endswith('+}') for s in segments[:-1]) or len(segments) > 16 or any(
                '{' in s and (s[0] != '{' or s.index('}') != len(s) - 1) for s in segments):
            raise SystemExit(f'{self.service}: the route {path} is beyond the router')
        greedy = bool(segments) and segments[-1].endswith('+}')
        self.routes.append((route_key(segments, query), '{%d, %d, %s, %d}' % (
            number, len(segments), 'true' if greedy else 'false', self.pool.at(query))))

    def write(self, out):
        protocol = self.meta['protocol']
        for number, name in enumerate(self.names):
            self.shape(number, name)
        for number, name in enumerate(sorted(self.model['operations'])):
            self.operation(number, name)
        rows = [row for _, row in sorted(self.routes)] if protocol == 'rest-json' else []

        def table(kind, name, values, per_line=1):
            out.write(f'static const {kind} {name}[] = {{\n')
            for i in range(0, len(values), per_line):
                out.write('    ' + ', '.join(str(v) for v in values[i:i + per_line]) + ',\n')
            out.write('    ' + ('{0}' if kind.startswith('struct') else '0') + '};\n')

        def text(value):
            return '"%s"' % value if value else 'NULL'
        out.write(f'/* {self.service}: made by tools/gen_api.py from the model of API version '
                  f'{self.meta["apiVersion"]} that botocore ships. */\n#include "api/model.h"\n\n')
        table('struct model_shape', 'shapes', self.shapes)
        table('struct model_member', 'members', self.members)
        table('uint32_t', 'enums', self.enums, 16)
        table('struct model_operation', 'operations', self.operations)
        table('struct model_route', 'routes', rows)
        table('uint16_t', 'errors', self.errors, 16)
        out.write('static const char pool[] =\n')
        for entry in self.pool.texts:
            out.write('    ' + c_literal(entry) + '\n')
        out.write(';\n')
        out.write(f'''const struct model model_{self.service} = {{
    .service = "{self.service}", .signing_name = "{self.meta.get('signingName', self.meta['endpointPrefix'])}",
    .target_prefix = {text(self.meta.get('targetPrefix'))}, .json_version = {text(self.meta.get('jsonVersion'))},
    .api_version = "{self.meta['apiVersion']}", .xml_namespace = {text(self.meta.get('xmlNamespace'))},
    .protocol = {PROTOCOLS[protocol]}, .pool = pool, .shapes = shapes, .members = members, .enums = enums,
    .operations = operations, .routes = routes, .errors = errors, .shape_count = {len(self.shapes)},
    .operation_count = {len(self.operations)}, .route_count = {len(rows)}, .error_count = {len(self.errors)},
}};
''')


def main():
    if len(sys.argv) != 3:
        sys.exit('usage: gen_api.py SERVICE OUT.c')
    with open(sys.argv[2], 'w', encoding='ascii') as out:
        Generator(sys.argv[1]).write(out)


main()
