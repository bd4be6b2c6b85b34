"""API Gateway: REST APIs made with boto3, requested over plain HTTP.

Expected answers come from the API Gateway API reference and developer guide, and from what AWS was recorded to answer; each
test says what it rests on where the documentation is silent.
"""
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from apis import Resources
from harness import ACCOUNT, REGION, http

LAMBDA_URI = 'arn:aws:apigateway:{}:lambda:path/2015-03-31/functions/{}/invocations'


def refused(call, **arguments):
    """(status, code, message) of a call that fails."""
    with pytest.raises(ClientError) as e:
        call(**arguments)
    error = e.value.response
    return error['ResponseMetadata']['HTTPStatusCode'], error['Error']['Code'], error['Error']['Message']


class Api(Resources):
    """A REST API under construction: methods, a stage."""

    def __init__(self, client, url, name='api', **more):
        super().__init__(client, name=name, **more)
        self.url = url

    def function(self, path, method, arn, kind='AWS_PROXY', **more):
        self.method(path, method)
        self.client.put_integration(**self.at(path, method), type=kind, integrationHttpMethod='POST', uri=LAMBDA_URI.format(REGION, arn), **more)
        if kind == 'AWS':
            self.response(path, method, '200')

    def response(self, path, method, status, pattern=None, headers=None, template=None):
        headers = {f'method.response.header.{name}': value for name, value in (headers or {}).items()}
        self.client.put_method_response(**self.at(path, method), statusCode=status, responseParameters={name: False for name in headers})
        more = {'selectionPattern': pattern} if pattern else {}
        if template is not None:
            more['responseTemplates'] = {'application/json': template}
        self.client.put_integration_response(**self.at(path, method), statusCode=status, responseParameters=headers, **more)

    def mock(self, path, method, template='{"statusCode": 200}', body=None, headers=None):
        self.method(path, method)
        self.client.put_integration(**self.at(path, method), type='MOCK', requestTemplates={'application/json': template})
        self.response(path, method, '200', headers=headers, template=body)

    def deploy(self, stage='prod', **more):
        return self.client.create_deployment(restApiId=self.id, stageName=stage, **more)['id']

    def base(self, stage='prod'):
        return f'{self.url}/_aws/execute-api/{self.id}/{stage}'

    def call(self, method, path, body=None, headers=None, stage='prod'):
        return http(method, self.base(stage) + path, body, headers)


@pytest.fixture
def api(client, server, unique):
    return Api(client('apigateway'), server.url, unique('api'))


@pytest.fixture
def gateway(client):
    return client('apigateway')


# ---- control plane ----

def test_rest_api_life(gateway, unique):
    name = unique('life')
    made = gateway.create_rest_api(name=name, description='this is my api', tags={'team': 'a'})
    assert made['ResponseMetadata']['HTTPStatusCode'] == 201
    made.pop('ResponseMetadata')
    assert made.pop('createdDate').timestamp() == pytest.approx(time.time(), abs=60)
    api_id, root = made.pop('id'), made.pop('rootResourceId')
    assert len(api_id) == 10 and api_id.isalnum() and api_id == api_id.lower()
    assert made == {'name': name, 'description': 'this is my api', 'apiKeySource': 'HEADER', 'disableExecuteApiEndpoint': False,
                    'endpointConfiguration': {'types': ['EDGE'], 'ipAddressType': 'ipv4'}, 'tags': {'team': 'a'}}
    assert gateway.get_rest_api(restApiId=api_id)['name'] == name
    assert gateway.get_resources(restApiId=api_id)['items'] == [{'id': root, 'path': '/'}]
    assert api_id in [item['id'] for page in gateway.get_paginator('get_rest_apis').paginate(PaginationConfig={'PageSize': 1})
                      for item in page['items']]
    assert gateway.delete_rest_api(restApiId=api_id)['ResponseMetadata']['HTTPStatusCode'] == 202
    assert refused(gateway.get_rest_api, restApiId=api_id) == \
        (404, 'NotFoundException', f'Invalid API identifier specified {ACCOUNT}:{api_id}')


@pytest.mark.parametrize('arguments, expected', [
    ({'description': ''}, (400, 'BadRequestException', 'Description cannot be an empty string')),
    ({'endpointConfiguration': {'types': []}},
     (400, 'BadRequestException', 'REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.')),
    ({'endpointConfiguration': {'types': ['EDGE', 'REGIONAL']}},
     (400, 'BadRequestException', 'Cannot create an api with multiple Endpoint Types.')),
    ({'binaryMediaTypes': ['image/png']}, (501, 'NotImplemented', 'binaryMediaTypes')),
    ({'minimumCompressionSize': 10}, (501, 'NotImplemented', 'minimumCompressionSize')),
    ({'policy': '{}'}, (501, 'NotImplemented', 'policy')),
    ({'cloneFrom': 'abcdefghij'}, (501, 'NotImplemented', 'cloneFrom')),
    ({'endpointConfiguration': {'types': ['PRIVATE']}}, (501, 'NotImplemented', 'PRIVATE')),
    ({'apiKeySource': 'AUTHORIZER'}, (501, 'NotImplemented', 'AUTHORIZER')),
])
def test_create_rest_api_refusals(gateway, arguments, expected):
    status, code, message = refused(gateway.create_rest_api, name='x', **arguments)
    assert (status, code) == expected[:2] and expected[2] in message


def test_resource_tree(gateway, api):
    todos, item = api.resource('/todos'), api.resource('/todos/{id}')
    root = api.resource('/')
    listed = gateway.get_resources(restApiId=api.id)['items']
    assert listed == [{'id': root, 'path': '/'}, {'id': todos, 'parentId': root, 'pathPart': 'todos', 'path': '/todos'},
                      {'id': item, 'parentId': todos, 'pathPart': '{id}', 'path': '/todos/{id}'}]
    create = lambda parent, part: refused(gateway.create_resource, restApiId=api.id, parentId=parent, pathPart=part)
    assert create(root, 'todos') == (409, 'ConflictException', 'Another resource with the same parent already has this name: todos')
    assert create(todos, '{other}') == (400, 'BadRequestException',
                                        'A sibling ({id}) of this resource already has a variable path part -- only one is allowed')
    for part in ('a b', '{', '{}', 'a/b', '{a', 'x{a}', '{a+', 'é'):
        assert create(root, part) == (400, 'BadRequestException',
                                      "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces "
                                      'at the beginning and the end.')
    assert create('nope00', 'x') == (404, 'NotFoundException', 'Invalid Resource identifier specified')
    proxy = api.resource('/{proxy+}')
    assert create(proxy, 'x') == (400, 'BadRequestException', 'Cannot create a child of a resource with a greedy path variable: {proxy+}')
    pages = [page['items'] for page in gateway.get_paginator('get_resources').paginate(restApiId=api.id, PaginationConfig={'PageSize': 2})]
    assert [len(page) for page in pages] == [2, 2]
    assert gateway.delete_resource(restApiId=api.id, resourceId=todos)['ResponseMetadata']['HTTPStatusCode'] == 202
    assert refused(gateway.get_resource, restApiId=api.id, resourceId=item)[2] == 'Invalid Resource identifier specified'


def test_update_resource(gateway, api):
    pets, sub = api.resource('/pets'), api.resource('/pets/sub')
    child = api.resource('/pets/sub/child')

    def patch(resource, op, path, value='x'):
        return gateway.update_resource(restApiId=api.id, resourceId=resource, patchOperations=[{'op': op, 'path': path, 'value': value}])

    assert patch(pets, 'replace', '/pathPart', 'dogs')['path'] == '/dogs'
    assert gateway.get_resource(restApiId=api.id, resourceId=child)['path'] == '/dogs/sub/child'
    assert patch(sub, 'replace', '/parentId', api.resource('/'))['path'] == '/sub'
    assert gateway.get_resource(restApiId=api.id, resourceId=child)['path'] == '/sub/child'
    for arguments, expected in [
        ((sub, 'replace', '/parentId', child), 'Resources cannot be cyclical.'),
        ((sub, 'replace', '/invalid'), "Invalid patch path  '/invalid' specified for op 'replace'. Must be one of: [/parentId, /pathPart]"),
        ((sub, 'remove', '/pathPart'), "Invalid patch path  '/pathPart' specified for op 'remove'. Please choose supported operations"),
        ((api.resource('/'), 'replace', '/pathPart'), 'Root resource cannot update its pathPart.'),
    ]:
        with pytest.raises(ClientError) as e:
            patch(*arguments)
        assert e.value.response['Error'] == {'Code': 'BadRequestException', 'Message': expected}


def test_methods(gateway, api):
    at = api.at('/', 'GET')
    assert refused(gateway.get_method, **at)[:3] == (404, 'NotFoundException', 'Invalid Method identifier specified')
    made = gateway.put_method(**at, authorizationType='NONE', operationName='list', requestParameters={'method.request.querystring.q': True},
                              requestModels={'application/json': 'Empty'})
    made.pop('ResponseMetadata')
    assert made == {'httpMethod': 'GET', 'authorizationType': 'NONE', 'apiKeyRequired': False, 'operationName': 'list',
                    'requestParameters': {'method.request.querystring.q': True}, 'requestModels': {'application/json': 'Empty'}}
    assert refused(gateway.put_method, **at, authorizationType='NONE')[:2] == (409, 'ConflictException')
    for arguments, expected in [
        ({'httpMethod': 'BREW'}, (400, 'BadRequestException',
                                  'Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY')),
        ({'resourceId': 'nope00'}, (404, 'NotFoundException', 'Invalid Resource identifier specified')),
        ({'restApiId': 'nope000000'}, (404, 'NotFoundException', 'Invalid Resource identifier specified')),
        ({'authorizationType': 'AWS_IAM'}, (501, 'NotImplemented', 'AWS_IAM')),
        ({'authorizationType': 'CUSTOM'}, (501, 'NotImplemented', 'CUSTOM')),
        ({'apiKeyRequired': True}, (501, 'NotImplemented', 'apiKeyRequired')),
        ({'requestValidatorId': 'x'}, (501, 'NotImplemented', 'requestValidatorId')),
        ({'requestModels': {'application/json': 'petModel'}}, (400, 'BadRequestException', 'Invalid model identifier specified: petModel')),
        ({'requestParameters': {'method.request.header.a': True, 'method.request.querystring.a': True}},
         (400, 'BadRequestException', 'Parameter names must be unique across querystring, header and path')),
    ]:
        status, code, message = refused(gateway.put_method, **{**api.at('/', 'POST'), 'authorizationType': 'NONE', **arguments})
        assert (status, code) == expected[:2] and expected[2] in message
    patched = gateway.update_method(**at, patchOperations=[
        {'op': 'replace', 'path': '/operationName', 'value': 'other'}, {'op': 'remove', 'path': '/requestModels/application~1json'},
        {'op': 'add', 'path': '/requestParameters/method.request.header.h', 'value': 'false'}])
    assert patched['operationName'] == 'other' and 'requestModels' not in patched
    assert patched['requestParameters'] == {'method.request.querystring.q': True, 'method.request.header.h': False}
    for path, expected in [('/httpMethod', 'Invalid patch path /httpMethod'), ('/requestParameters', 'Invalid patch path /requestParameters'),
                           ('/requestModels/application/json', 'Invalid patch path /requestModels/application/json')]:
        assert refused(gateway.update_method, **at, patchOperations=[{'op': 'add', 'path': path, 'value': 'x'}]) == (400, 'BadRequestException', expected)
    assert refused(gateway.update_method, **at, patchOperations=[{'op': 'add', 'path': '/operationName', 'value': 'x'}])[2] == \
        'Invalid patch operation specified. Must be one of: [replace]'
    assert gateway.delete_method(**at)['ResponseMetadata']['HTTPStatusCode'] == 204
    assert refused(gateway.delete_method, **at)[2] == 'Invalid Method identifier specified'


def test_method_responses(gateway, api):
    at = api.at('/', 'GET')
    api.method('/', 'GET')
    made = gateway.put_method_response(**at, statusCode='200', responseParameters={'method.response.header.A': False},
                                       responseModels={'application/json': 'Empty'})
    assert made['responseParameters'] == {'method.response.header.A': False}
    assert refused(gateway.put_method_response, **at, statusCode='200')[:2] == (409, 'ConflictException')
    assert refused(gateway.get_method_response, **at, statusCode='404') == (404, 'NotFoundException', 'Invalid Response status code specified')
    assert refused(gateway.put_method_response, **at, statusCode='wrong')[:2] == (400, 'ValidationException')
    patched = gateway.update_method_response(**at, statusCode='200', patchOperations=[
        {'op': 'remove', 'path': '/responseParameters/method.response.header.A'}, {'op': 'remove', 'path': '/responseModels/application~1json'}])
    patched.pop('ResponseMetadata')
    assert patched == {'statusCode': '200'}
    assert refused(gateway.update_method_response, **at, statusCode='200', patchOperations=[
        {'op': 'remove', 'path': '/responseParameters/method.response.header.A'}]) == (404, 'NotFoundException', 'Invalid parameter name specified')
    assert gateway.delete_method_response(**at, statusCode='200')['ResponseMetadata']['HTTPStatusCode'] == 204
    assert 'methodResponses' not in gateway.get_method(**at)


def test_integrations(gateway, api):
    arn = f'arn:aws:lambda:{REGION}:{ACCOUNT}:function:f'
    uri = LAMBDA_URI.format(REGION, arn)
    at = api.at('/', 'GET')
    api.method('/', 'GET')
    assert refused(gateway.get_integration, **at) == (404, 'NotFoundException', 'Invalid Integration identifier specified')
    made = gateway.put_integration(**at, type='AWS_PROXY', integrationHttpMethod='POST', uri=uri)
    made.pop('ResponseMetadata')
    assert made == {'type': 'AWS_PROXY', 'httpMethod': 'POST', 'uri': uri, 'passthroughBehavior': 'WHEN_NO_MATCH', 'timeoutInMillis': 29000,
                    'cacheNamespace': api.resource('/'), 'cacheKeyParameters': []}
    good = {'type': 'AWS', 'integrationHttpMethod': 'POST', 'uri': uri}
    for arguments, expected in [
        ({'type': 'HTTP'}, (501, 'NotImplemented', 'HTTP')),
        ({'type': 'HTTP_PROXY'}, (501, 'NotImplemented', 'HTTP_PROXY')),
        ({'connectionType': 'VPC_LINK'}, (501, 'NotImplemented', 'VPC_LINK')),
        ({'credentials': 'arn:aws:iam::000000000000:role/r'}, (501, 'NotImplemented', 'credentials')),
        ({'requestParameters': {'integration.request.header.a': "'b'"}}, (501, 'NotImplemented', 'requestParameters')),
        ({'requestTemplates': {'application/json': '$input.json("$")'}}, (501, 'NotImplemented', 'requestTemplates[application/json]')),
        ({'contentHandling': 'CONVERT_TO_BINARY'}, (501, 'NotImplemented', 'CONVERT_TO_BINARY')),
        ({'uri': 'arn:aws:apigateway:us-east-1:sqs:path/queue'}, (501, 'NotImplemented', 'sqs')),
        ({'type': 'AWS_PROXY', 'uri': 'arn:aws:apigateway:us-east-1:sqs:path/queue'},
         (400, 'BadRequestException', "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.")),
        ({'uri': arn}, (400, 'BadRequestException', 'AWS ARN for integration must contain path or action')),
        ({'uri': 'http://example.com'}, (400, 'BadRequestException', 'Invalid ARN specified in the request')),
        ({'type': 'AWS_PROXY', 'uri': uri.replace('2015-03-31/functions', 'random/value')},
         (400, 'BadRequestException', "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.")),
        ({'uri': 'arn:aws:apigateway:us-east-1:lambda:f'}, (400, 'BadRequestException', 'AWS ARN for integration must contain path or action')),
        ({'integrationHttpMethod': ''}, (400, 'BadRequestException', 'Enumeration value for HttpMethod must be non-empty')),
        ({'integrationHttpMethod': 'BREW'}, (400, 'BadRequestException', 'Invalid HttpMethod specified. Valid options are GET,PUT,')),
        ({'timeoutInMillis': 30000}, (400, 'BadRequestException', 'Timeout should be between 50 ms and 29000 ms')),
        ({'timeoutInMillis': 49}, (400, 'BadRequestException', 'Timeout should be between 50 ms and 29000 ms')),
        ({'httpMethod': 'PUT'}, (404, 'NotFoundException', 'Invalid Method identifier specified')),
    ]:
        status, code, message = refused(gateway.put_integration, **{**at, **good, **arguments})
        assert (status, code) == expected[:2] and expected[2] in message, arguments
    patched = gateway.update_integration(**at, patchOperations=[{'op': 'replace', 'path': '/timeoutInMillis', 'value': '1000'}])
    assert patched['timeoutInMillis'] == 1000
    assert gateway.get_method(**at)['methodIntegration']['timeoutInMillis'] == 1000
    assert 'Invalid HttpMethod specified' in refused(gateway.update_integration, **at, patchOperations=[
        {'op': 'replace', 'path': '/httpMethod', 'value': 'BREW'}])[2]
    assert refused(gateway.update_integration, **at, patchOperations=[{'op': 'replace', 'path': '/credentials', 'value': 'x'}])[:2] == \
        (501, 'NotImplemented')
    assert gateway.delete_integration(**at)['ResponseMetadata']['HTTPStatusCode'] == 204


def test_integration_responses(gateway, api):
    at = api.at('/', 'GET')
    api.method('/', 'GET')
    put = lambda **more: refused(gateway.put_integration_response, **at, statusCode='200', **more)
    assert put() == (404, 'NotFoundException', 'Invalid Integration identifier specified')
    gateway.put_integration(**at, type='MOCK', requestTemplates={'application/json': '{"statusCode": 200}'})
    header = {'method.response.header.A': "'b'"}
    assert put(responseParameters=header) == \
        (400, 'BadRequestException', 'Invalid mapping expression specified: Validation Result: warnings : [], errors : '
                                     '[Invalid mapping expression parameter specified: method.response.header.A]')
    gateway.put_method_response(**at, statusCode='200', responseParameters={'method.response.header.A': False})
    assert put(responseParameters={'method.response.header.A': 'integration.response.header.X'})[:2] == (501, 'NotImplemented')
    assert put(responseTemplates={'application/json': '#set($x = 1)'})[:2] == (501, 'NotImplemented')
    assert put(responseTemplates={'123': 'x'})[2] == 'Validation Result: warnings : [], errors : [Invalid content type specified: 123]'
    assert put(selectionPattern='(')[:2] == (400, 'BadRequestException')
    made = gateway.put_integration_response(**at, statusCode='200', responseParameters=header, selectionPattern='', responseTemplates={'application/json': '"created"'})
    assert made['responseParameters'] == header and made['selectionPattern'] == ''
    gateway.put_integration_response(**at, statusCode='200', selectionPattern='overwrite', responseTemplates={'application/json': 'x'})
    patched = gateway.update_integration_response(**at, statusCode='200', patchOperations=[{'op': 'replace', 'path': '/selectionPattern', 'value': 'a.*'}])
    assert patched['selectionPattern'] == 'a.*' and patched['responseTemplates'] == {'application/json': 'x'}
    assert gateway.delete_integration_response(**at, statusCode='200')['ResponseMetadata']['HTTPStatusCode'] == 204
    assert refused(gateway.get_integration_response, **at, statusCode='200')[2] == 'Invalid Response status code specified'


def test_deployments_and_stages(gateway, api):
    deploy = lambda **more: refused(gateway.create_deployment, restApiId=api.id, **more)
    assert deploy() == (400, 'BadRequestException', "The REST API doesn't contain any methods")
    api.method('/', 'GET')
    assert deploy() == (400, 'BadRequestException', 'No integration defined for method')
    gateway.put_integration(**api.at('/', 'GET'), type='MOCK')
    first = gateway.create_deployment(restApiId=api.id, description='one')
    assert first['ResponseMetadata']['HTTPStatusCode'] == 201 and first['description'] == 'one'
    summary = gateway.get_deployment(restApiId=api.id, deploymentId=first['id'], embed=['apisummary'])['apiSummary']
    assert summary == {'/': {'GET': {'authorizationType': 'NONE', 'apiKeyRequired': False}}}
    stage = gateway.create_stage(restApiId=api.id, stageName='s1', deploymentId=first['id'], description='my stage', variables={'a': 'b'})
    for name in ('ResponseMetadata', 'createdDate', 'lastUpdatedDate'):
        stage.pop(name)
    assert stage == {'deploymentId': first['id'], 'stageName': 's1', 'description': 'my stage', 'cacheClusterEnabled': False,
                     'cacheClusterStatus': 'NOT_AVAILABLE', 'methodSettings': {}, 'tracingEnabled': False, 'variables': {'a': 'b'}}
    assert refused(gateway.create_stage, restApiId=api.id, stageName='s1', deploymentId=first['id'])[:3] == (409, 'ConflictException', 'Stage already exists')
    assert refused(gateway.create_stage, restApiId=api.id, stageName='s2', deploymentId='nope00')[2] == 'Invalid Deployment identifier specified'
    assert refused(gateway.create_stage, restApiId=api.id, stageName='a/b', deploymentId=first['id'])[:2] == (400, 'BadRequestException')
    assert refused(gateway.delete_deployment, restApiId=api.id, deploymentId=first['id']) == \
        (400, 'BadRequestException', 'Active stages pointing to this deployment must be moved or deleted')
    second = gateway.create_deployment(restApiId=api.id, stageName='s1')['id']
    assert [s['deploymentId'] for s in gateway.get_stages(restApiId=api.id)['item']] == [second]
    assert gateway.get_stages(restApiId=api.id, deploymentId=first['id'])['item'] == []
    assert gateway.delete_deployment(restApiId=api.id, deploymentId=first['id'])['ResponseMetadata']['HTTPStatusCode'] == 202
    assert [d['id'] for d in gateway.get_deployments(restApiId=api.id)['items']] == [second]
    patched = gateway.update_stage(restApiId=api.id, stageName='s1', patchOperations=[
        {'op': 'replace', 'path': '/description', 'value': 'new'}, {'op': 'replace', 'path': '/variables/c', 'value': 'd'},
        {'op': 'remove', 'path': '/variables/a'}])
    assert patched['description'] == 'new' and patched['variables'] == {'c': 'd'}
    update = lambda path, value='x': refused(gateway.update_stage, restApiId=api.id, stageName='s1',
                                             patchOperations=[{'op': 'replace', 'path': path, 'value': value}])
    assert update('/tags/t')[2].startswith('Invalid method setting path: /tags/t. Must be one of: [/deploymentId, /description, ')
    assert update('/tracingEnabled', 'true')[:2] == (501, 'NotImplemented')
    assert update('/*/*/throttling/burstLimit', '1')[:2] == (501, 'NotImplemented')
    assert update('/deploymentId', 'nope00')[2] == 'Invalid Deployment identifier specified'
    assert gateway.delete_stage(restApiId=api.id, stageName='s1')['ResponseMetadata']['HTTPStatusCode'] == 202
    assert refused(gateway.get_stage, restApiId=api.id, stageName='s1')[:2] == (404, 'NotFoundException')


def test_deployments_without_a_stage(gateway, api):
    """What is a stage's has no effect without one, so it is refused by name."""
    api.mock('/', 'GET')
    for member, value in [('stageDescription', 'x'), ('variables', {'a': 'b'}), ('tracingEnabled', True), ('cacheClusterEnabled', True)]:
        status, code, message = refused(gateway.create_deployment, restApiId=api.id, **{member: value})
        assert (status, code) == (501, 'NotImplemented') and f'{member} without stageName' in message
    assert gateway.get_deployments(restApiId=api.id)['items'] == []
    gateway.create_deployment(restApiId=api.id, variables={}, tracingEnabled=False, cacheClusterEnabled=False)


def test_recorded_patches(gateway, api):
    """Recorded on AWS by LocalStack's snapshot tests, April 2024 to February 2026."""
    api.mock('/', 'GET')
    api.deploy()
    at = api.at('/', 'GET')
    patch = lambda op, path, value='': [{'op': op, 'path': path, 'value': value}]
    # booleans: anything but true is false
    assert gateway.update_method(**at, patchOperations=patch('replace', '/apiKeyRequired', 'whatever'))['apiKeyRequired'] is False
    # what is replaced or removed has to be there
    wrong = lambda op, path: refused(gateway.update_method_response, **at, statusCode='200', patchOperations=patch(op, path, 'true'))
    gateway.update_method_response(**at, statusCode='200', patchOperations=patch('add', '/responseModels/application~1json', 'Empty'))
    for op in ('replace', 'remove'):
        assert wrong(op, '/responseParameters/wrong') == (404, 'NotFoundException', 'Invalid parameter name specified')
        assert wrong(op, '/responseModels/wrong') == (404, 'NotFoundException', 'Content-Type specified was not found')
    assert wrong('move', '/responseModels/wrong')[:2] == (400, 'BadRequestException')
    assert wrong('wrong', '/x') == (400, 'ValidationException',
                                    "1 validation error detected: Value 'wrong' at 'updateMethodResponseInput.patchOperations.1.member.op' failed to "
                                    'satisfy constraint: Member must satisfy enum value set: [add, remove, move, test, replace, copy]')
    assert refused(gateway.update_method_response, **at, statusCode='wrong', patchOperations=patch('wrong', '/x')) == (
        400, 'ValidationException', "2 validation errors detected: Value 'wrong' at 'updateMethodResponseInput.patchOperations.1.member.op' failed to "
        "satisfy constraint: Member must satisfy enum value set: [add, remove, move, test, replace, copy]; Value 'wrong' at 'statusCode' failed to "
        'satisfy constraint: Member must satisfy regular expression pattern: [1-5]\\d\\d')
    stage = lambda op, path, value='x': refused(gateway.update_stage, restApiId=api.id, stageName='prod', patchOperations=patch(op, path, value))
    for op, path in [('add', '/accessLogSettings/other'), ('replace', '/accessLogSettings/*'), ('add', '/accessLogSettings')]:
        assert stage(op, path) == (400, 'BadRequestException', 'Invalid accessLogSettings path. Must be one of : '
                                   '[/accessLogSettings/destinationArn, /accessLogSettings/format]')
    for path in ('accessLogSettings/other', 'accessLogSettings/destinationArn', '*/*'):
        assert stage('remove', f'/{path}') == (400, 'BadRequestException', f'Cannot remove method setting {path} because there is no method '
                                               'setting for this method ')
    assert stage('add', '/accessLogSettings/format', '') == (400, 'BadRequestException', 'Access Log value must not be empty')
    assert stage('add', '/accessLogSettings/format')[:2] == (501, 'NotImplemented')


def test_recorded_validation(gateway, api):
    """Recorded on AWS by LocalStack's snapshot tests, April 2024 to August 2025."""
    api.mock('/', 'GET')
    at = api.at('/', 'GET')
    assert gateway.put_integration(**at, type='MOCK', uri='http://example.com').get('uri') is None
    assert gateway.put_method(**api.at('/', 'PUT'), authorizationType='none')['authorizationType'] == 'NONE'
    assert refused(gateway.put_integration, **at, type='HTTPS_PROXY')[1:] == (
        'ValidationException', "1 validation error detected: Value 'HTTPS_PROXY' at 'putIntegrationInput.type' failed to satisfy constraint: "
        'Member must satisfy enum value set: [HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS]')
    assert refused(gateway.create_rest_api, name='x', endpointConfiguration={'types': ['wrong']})[2].endswith('[PRIVATE, EDGE, REGIONAL]]')


WRONG = {'restApiId': 'wrong00000', 'resourceId': 'wrong0', 'httpMethod': 'PUT', 'statusCode': '404', 'stageName': 'wrong', 'deploymentId': 'wrong0'}
RESOURCE, METHOD, INTEGRATION, STATUS = (f'Invalid {what} specified' for what in (
    'Resource identifier', 'Method identifier', 'Integration identifier', 'Response status code'))
API = 'Invalid API identifier specified {}:{}'.format(ACCOUNT, WRONG['restApiId'])


@pytest.mark.parametrize('operation, expected', [
    ('get_rest_api', [('restApiId', API)]),
    ('get_resources', [('restApiId', API)]),
    ('get_stages', [('restApiId', API)]),
    ('create_deployment', [('restApiId', API)]),
    ('get_resource', [('restApiId', RESOURCE), ('resourceId', RESOURCE)]),
    ('delete_resource', [('restApiId', RESOURCE), ('resourceId', RESOURCE)]),
    ('get_method', [('restApiId', RESOURCE), ('resourceId', RESOURCE), ('httpMethod', METHOD)]),
    ('update_method', [('restApiId', RESOURCE), ('resourceId', RESOURCE), ('httpMethod', METHOD)]),
    ('get_integration', [('restApiId', RESOURCE), ('resourceId', RESOURCE), ('httpMethod', METHOD), (None, INTEGRATION)]),
    ('put_integration_response', [('restApiId', RESOURCE), ('resourceId', RESOURCE), ('httpMethod', METHOD), (None, INTEGRATION)]),
    ('get_integration_response', [('restApiId', RESOURCE), ('resourceId', RESOURCE), ('httpMethod', METHOD), (None, INTEGRATION)]),
    ('delete_integration_response', [('restApiId', RESOURCE), ('resourceId', RESOURCE), ('httpMethod', INTEGRATION), (None, INTEGRATION)]),
    ('get_method_response', [('restApiId', RESOURCE), ('resourceId', RESOURCE), ('httpMethod', METHOD), ('statusCode', STATUS)]),
    ('update_method_response', [('restApiId', RESOURCE), ('resourceId', RESOURCE), ('httpMethod', METHOD), ('statusCode', STATUS)]),
    ('get_stage', [('stageName', 'Invalid stage identifier specified')]),
    ('get_deployment', [('deploymentId', 'Invalid Deployment identifier specified')]),
])
def test_identifiers_are_checked_in_order(gateway, api, operation, expected):
    """Each wrong one together with all those behind it. A method without integration. Recorded on AWS, 2024 and 2025; `message` stands
    beside the code."""
    api.method('/', 'GET')
    gateway.put_method_response(**api.at('/', 'GET'), statusCode='200')
    members = gateway.meta.service_model.operation_model(gateway.meta.method_to_api_mapping[operation]).input_shape.members
    right = {**api.at('/', 'GET'), 'statusCode': '200', 'stageName': 'prod', 'deploymentId': 'none00'}
    order = [name for name in WRONG if name in members]
    for name, message in expected:
        from_here = order.index(name) if name else len(order)
        arguments = {n: (WRONG if i >= from_here else right)[n] for i, n in enumerate(order) if not (operation == 'create_deployment' and n == 'stageName')}
        with pytest.raises(ClientError) as e:
            getattr(gateway, operation)(**arguments)
        assert e.value.response['Error'] == {'Code': 'NotFoundException', 'Message': message}, name
        assert e.value.response['message'] == message


def test_deployments_by_pages(gateway, api):
    api.mock('/', 'GET')
    made = {api.deploy() for _ in range(3)}
    first = gateway.get_deployments(restApiId=api.id, limit=2)
    rest = gateway.get_deployments(restApiId=api.id, limit=2, position=first['position'])
    assert 'position' not in rest and {d['id'] for d in first['items'] + rest['items']} == made
    assert (len(first['items']), len(rest['items'])) == (2, 1)


def test_many_request_parameters(gateway, api):
    """As many as a body holds do not keep the writes of others waiting; a name that stands twice is still found."""
    parameters = {f'method.request.header.h{i}': False for i in range(20_000)}
    begin = time.time()
    gateway.put_method(**api.at('/', 'GET'), authorizationType='NONE', requestParameters=parameters)
    assert time.time() - begin < 2
    twice = {'method.request.header.id': False, 'method.request.path.id': True}
    assert refused(gateway.put_method, **api.at('/', 'POST'), authorizationType='NONE', requestParameters=twice)[2] == \
        'Parameter names must be unique across querystring, header and path'


def test_update_rest_api(gateway, api):
    update = lambda op, path, value='x': gateway.update_rest_api(restApiId=api.id, patchOperations=[{'op': op, 'path': path, 'value': value}])
    assert update('replace', '/name', 'renamed')['name'] == 'renamed'
    assert update('replace', '/endpointConfiguration/types/EDGE', 'REGIONAL')['endpointConfiguration']['types'] == ['REGIONAL']
    for op, path, value, expected in [
        ('add', '/name', 'x', (400, 'Invalid patch operation specified. Must be one of: [replace]')),
        ('replace', '/nothing', 'x', (400, 'Invalid patch path /nothing')),
        ('replace', '/endpointConfiguration/types/REGIONAL', 'x', (400, 'Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE')),
        ('replace', '/minimumCompressionSize', '10', (501, '/minimumCompressionSize')),
        ('add', '/binaryMediaTypes/image~1png', None, (501, '/binaryMediaTypes/image~1png')),
    ]:
        with pytest.raises(ClientError) as e:
            update(op, path, value or '')
        assert e.value.response['ResponseMetadata']['HTTPStatusCode'] == expected[0] and expected[1] in e.value.response['Error']['Message']


def test_tags(gateway, api):
    arn = f'arn:aws:apigateway:{REGION}::/restapis/{api.id}'
    gateway.tag_resource(resourceArn=arn, tags={'a': 'b', 'c': 'd'})
    gateway.untag_resource(resourceArn=arn, tagKeys=['a'])
    assert gateway.get_tags(resourceArn=arn)['tags'] == {'c': 'd'} == gateway.get_rest_api(restApiId=api.id)['tags']
    assert refused(gateway.get_tags, resourceArn=arn + 'x')[:2] == (404, 'NotFoundException')
    assert refused(gateway.get_tags, resourceArn='arn:aws:s3:::b')[:2] == (400, 'BadRequestException')


def test_not_implemented_operation(gateway, api):
    status, code, message = refused(gateway.get_authorizers, restApiId=api.id)
    assert (status, code) == (501, 'NotImplemented') and 'GetAuthorizers' in message


def test_permissions_are_paths(server, client, gateway, api, unique):
    """A user who may read one API may read that one, however the path is spelled, and nothing else."""
    user = unique('user')
    iam = client('iam')
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName='p', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [
        {'Effect': 'Allow', 'Action': 'apigateway:GET', 'Resource': f'arn:aws:apigateway:{REGION}::/restapis/{api.id}'},
        {'Effect': 'Allow', 'Action': 'apigateway:POST', 'Resource': f'arn:aws:apigateway:{REGION}::/restapis/{api.id}/resources/*'}]}))
    key = iam.create_access_key(UserName=user)['AccessKey']
    limited = server.client('apigateway', key['AccessKeyId'], key['SecretAccessKey'])
    assert limited.get_rest_api(restApiId=api.id)['id'] == api.id
    root = api.resource('/')
    limited.create_resource(restApiId=api.id, parentId=root, pathPart='x')
    for call, arguments, path in [
        (limited.get_rest_apis, {}, '/restapis'), (limited.get_resources, {'restApiId': api.id}, f'/restapis/{api.id}/resources'),
        (limited.delete_rest_api, {'restApiId': api.id}, f'/restapis/{api.id}'),
    ]:
        status, code, message = refused(call, **arguments)
        assert (status, code) == (403, 'AccessDeniedException')
        assert f'on resource: arn:aws:apigateway:{REGION}::{path} because no identity-based policy allows' in message


# ---- data plane: routes and mock integrations ----

def error_of(answer):
    return answer.status, answer.headers['x-amzn-ErrorType'], answer.json


def test_preflight_as_the_console_makes_it(api):
    headers = {'Access-Control-Allow-Origin': "'*'", 'Access-Control-Allow-Methods': "'GET,OPTIONS'",
               'Access-Control-Allow-Headers': "'Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token'"}
    api.mock('/todos', 'OPTIONS', headers=headers)
    api.deploy()
    answer = api.call('OPTIONS', '/todos', headers={'Origin': 'http://localhost', 'Access-Control-Request-Method': 'GET'})
    assert answer.status == 200 and answer.body == b'' and answer.headers['Content-Type'] == 'application/json'
    for name, value in headers.items():
        assert answer.headers[name] == value.strip("'")
    assert len(answer.headers['x-amzn-RequestId']) == 36 and len(answer.headers['x-amz-apigw-id']) == 16


def test_three_urls_of_a_stage(api, server):
    api.mock('/x', 'GET', body='{"a": 1}')
    api.deploy()
    host = {'Host': f'{api.id}.execute-api.{REGION}.localhost:{server.port}'}
    for url, headers in [(f'{server.url}/_aws/execute-api/{api.id}/prod/x', {}), (f'{server.url}/restapis/{api.id}/prod/_user_request_/x', {}),
                         (f'{server.url}/prod/x', host)]:
        assert http('GET', url, headers=headers).json == {'a': 1}


def test_routes(api):
    """Precedence; and a resource without the method lets the next best one have the request (recorded from AWS)."""
    for path, method in [('/', 'GET'), ('/test', 'POST'), ('/test/any', 'ANY'), ('/{proxy+}', 'OPTIONS'), ('/test/{id}', 'GET'), ('/test/fixed', 'GET')]:
        api.mock(path, method, body=json.dumps(f'{method} {path}'))
    api.deploy()
    for method, path, expected in [
        ('GET', '', 'GET /'), ('GET', '/', 'GET /'), ('POST', '/test', 'POST /test'), ('POST', '/test/', 'POST /test'), ('POST', '//test', 'POST /test'),
        ('OPTIONS', '/test', 'OPTIONS /{proxy+}'), ('OPTIONS', '/test/any', 'ANY /test/any'), ('GET', '/test/any', 'ANY /test/any'),
        ('GET', '/test/fixed', 'GET /test/fixed'), ('GET', '/test/other', 'GET /test/{id}'), ('OPTIONS', '/a/b/c', 'OPTIONS /{proxy+}'),
        ('GET', '/nowhere', None), ('PUT', '/test', None), ('GET', '/Test', None), ('GET', '/test/a/b', None),
    ]:
        answer = api.call(method, path)
        if expected:
            assert (answer.status, answer.json) == (200, expected), (method, path)
        else:
            assert error_of(answer) == (403, 'MissingAuthenticationTokenException', {'message': 'Missing Authentication Token'})


def test_unknown_stage_and_api(api, server):
    api.mock('/', 'GET')
    api.deploy('Prod')
    forbidden = (403, 'ForbiddenException', {'message': 'Forbidden'})
    assert api.call('GET', '/', stage='Prod').status == 200
    assert error_of(api.call('GET', '/', stage='prod')) == forbidden
    assert error_of(http('GET', f'{server.url}/_aws/execute-api/nope000000/prod/')) == forbidden
    assert error_of(http('GET', f'{server.url}/_aws/execute-api/{api.id}/')) == forbidden


@pytest.mark.smoke
def test_edits_change_nothing_until_deployed(gateway, api):
    api.mock('/', 'GET', body='"one"')
    first = api.deploy()
    gateway.update_integration_response(**api.at('/', 'GET'), statusCode='200',
                                        patchOperations=[{'op': 'replace', 'path': '/responseTemplates/application~1json', 'value': '"two"'}])
    assert api.call('GET', '/').json == 'one'
    second = gateway.create_deployment(restApiId=api.id)['id']
    assert api.call('GET', '/').json == 'one'
    move = lambda deployment: gateway.update_stage(restApiId=api.id, stageName='prod',
                                                   patchOperations=[{'op': 'replace', 'path': '/deploymentId', 'value': deployment}])
    move(second)
    assert api.call('GET', '/').json == 'two'
    move(first)
    assert api.call('GET', '/').json == 'one'
    gateway.update_rest_api(restApiId=api.id, patchOperations=[{'op': 'replace', 'path': '/disableExecuteApiEndpoint', 'value': 'true'}])
    assert error_of(api.call('GET', '/')) == (403, 'ForbiddenException', {'message': 'Forbidden'})
    gateway.delete_rest_api(restApiId=api.id)
    assert api.call('GET', '/').status == 403


INTERNAL = (500, 'InternalServerErrorException', {'message': 'Internal server error'})


def test_mock_rules(gateway, api):
    api.mock('/status', 'GET', template='{"statusCode": 404}')
    api.response('/status', 'GET', '404', pattern='4\\d{2}', template='"not found"')
    api.mock('/none', 'GET', template='{"message": "no status"}')
    api.mock('/undeclared', 'GET')
    gateway.delete_method_response(**api.at('/undeclared', 'GET'), statusCode='200')
    api.mock('/xml', 'POST')
    api.mock('/never', 'POST')
    gateway.update_integration(**api.at('/never', 'POST'), patchOperations=[{'op': 'replace', 'path': '/passthroughBehavior', 'value': 'NEVER'}])
    api.deploy()
    assert (api.call('GET', '/status').status, api.call('GET', '/status').json) == (404, 'not found')
    assert error_of(api.call('GET', '/none')) == INTERNAL
    assert error_of(api.call('GET', '/undeclared')) == INTERNAL
    assert api.call('POST', '/xml', '{"statusCode": 200}', {'Content-Type': 'text/xml'}).status == 200       # no match: the body passes through
    assert error_of(api.call('POST', '/xml', '<a/>', {'Content-Type': 'text/xml'})) == INTERNAL
    answer = api.call('POST', '/never', '{}', {'Content-Type': 'text/xml'})
    assert (answer.status, answer.json) == (415, {'message': 'Unsupported Media Type'})
    assert api.call('POST', '/never', '{}', {'Content-Type': 'application/json; charset=utf-8'}).status == 200


# ---- data plane: functions ----

ECHO = '''
import json
def handler(event, context):
    return {'statusCode': 200, 'body': json.dumps(event)}
'''


@pytest.fixture(scope='module')
def echo(deploy_function):
    return deploy_function('apigw-echo', ECHO, permission=True)


def test_proxy_event(client, server, api, echo):
    api.function('/todos/{id}', 'ANY', echo)
    api.deploy(variables={'env': 'test'})
    query = 'price=10&price=20&email=test%2Balias@gmail.com&plus=a+b'
    answer = api.call('PUT', '/todos/a%2Bb?' + query, '{"title": "Bücher"}'.encode(), {'tEsT-HEADeR': 'aValUE', 'Content-Type': 'application/json', 'User-Agent': 'test/1'})
    event = answer.json
    context = event.pop('requestContext')
    headers = event.pop('headers')
    assert event.pop('multiValueHeaders') == {name: [value] for name, value in headers.items()}
    assert event == {
        'resource': '/todos/{id}', 'path': '/todos/a%2Bb', 'httpMethod': 'PUT',
        'queryStringParameters': {'price': '20', 'email': 'test+alias@gmail.com', 'plus': 'a b'},
        'multiValueQueryStringParameters': {'price': ['10', '20'], 'email': ['test+alias@gmail.com'], 'plus': ['a b']},
        'pathParameters': {'id': 'a%2Bb'}, 'stageVariables': {'env': 'test'}, 'body': '{"title": "Bücher"}', 'isBase64Encoded': False}
    named = {name.lower(): value for name, value in headers.items()}        # urllib changes the case of what it sends
    assert named['test-header'] == 'aValUE' and 'connection' not in named and 'content-length' not in named
    assert headers['X-Forwarded-For'] == '127.0.0.1' and headers['X-Forwarded-Proto'] == 'http' and headers['X-Forwarded-Port'] == str(server.port)
    assert headers['X-Amzn-Trace-Id'].startswith('Root=1-') and answer.headers['X-Amzn-Trace-Id'].startswith(headers['X-Amzn-Trace-Id'])
    assert context.pop('requestId') == answer.headers['x-amzn-RequestId']
    assert context.pop('extendedRequestId') == answer.headers['x-amz-apigw-id']
    assert abs(context.pop('requestTimeEpoch') / 1000 - time.time()) < 60
    assert context.pop('requestTime').endswith(' +0000')
    stage = client('apigateway').get_stage(restApiId=api.id, stageName='prod')
    assert context == {
        'accountId': ACCOUNT, 'apiId': api.id, 'deploymentId': stage['deploymentId'], 'domainName': f'{api.id}.execute-api.{REGION}.localhost',
        'domainPrefix': api.id, 'httpMethod': 'PUT', 'path': '/prod/todos/a%2Bb', 'protocol': 'HTTP/1.1', 'resourceId': api.resource('/todos/{id}'),
        'resourcePath': '/todos/{id}', 'stage': 'prod',
        'identity': {'accessKey': None, 'accountId': None, 'caller': None, 'cognitoAuthenticationProvider': None, 'cognitoAuthenticationType': None,
                     'cognitoIdentityId': None, 'cognitoIdentityPoolId': None, 'principalOrgId': None, 'sourceIp': '127.0.0.1', 'user': None,
                     'userAgent': 'test/1', 'userArn': None}}


@pytest.mark.smoke
def test_proxy_event_of_an_empty_request(api, echo):
    api.function('/', 'GET', echo)
    api.deploy()
    event = api.call('GET', '/').json
    for name in ('body', 'queryStringParameters', 'multiValueQueryStringParameters', 'pathParameters', 'stageVariables'):
        assert event[name] is None
    assert event['path'] == '/' and event['requestContext']['path'] == '/prod/'


ANSWERS = '''
import json, time
def handler(event, context):
    proxied = isinstance(event, dict) and isinstance(event.get('body'), str)
    wanted = json.loads(event['body']) if proxied else event
    if wanted == 'raise': raise ValueError('Bad thing')
    if wanted == 'sleep': time.sleep(3)
    if wanted == 'nap': time.sleep(1)
    return wanted
'''


@pytest.fixture(scope='module')
def answers(deploy_function):
    return deploy_function('apigw-answers', ANSWERS, permission=True, Timeout=10)


def test_proxy_answers(api, answers):
    api.function('/', 'POST', answers)
    api.deploy()
    send = lambda value: api.call('POST', '/', json.dumps(value))
    answer = send({'statusCode': '201', 'headers': {'Content-Type': 'text/html', 'Server': 'mine', 'X-A': 'b'},
                   'multiValueHeaders': {'Set-Cookie': ['a=1', 'b=2']}, 'body': '<p>é</p>'})
    assert answer.status == 201 and answer.text == '<p>é</p>' and answer.headers['Content-Type'] == 'text/html'
    assert answer.headers.get_all('Set-Cookie') == ['a=1', 'b=2'] and answer.headers['x-amzn-Remapped-Server'] == 'mine'
    answer = send({})
    assert answer.status == 200 and answer.body == b'' and answer.headers['Content-Type'] == 'application/json'
    malformed = (502, 'InternalServerErrorException', {'message': 'Internal server error'})
    for value in (None, 'text', 7, ['a'], {'message': 'x'}, {'statusCode': 'abc'}, {'statusCode': 200, 'body': {'a': 1}},
                  {'headers': {'a': 'b\r\nc: d'}}, 'raise'):
        assert error_of(send(value)) == malformed, value


def test_custom_integration(api, answers):
    """Without templates the body passes through, whatever its content type: curl -d sends the form type."""
    api.function('/', 'POST', answers, kind='AWS')
    api.function('/', 'GET', answers, kind='AWS')
    api.deploy()
    for content_type in ('application/json', 'application/x-www-form-urlencoded', 'text/plain'):
        answer = api.call('POST', '/', '{"operation": "echo"}', {'Content-Type': content_type})
        assert (answer.status, answer.json) == (200, {'operation': 'echo'})
        assert answer.headers['Content-Type'] == 'application/json'
    assert api.call('GET', '/').json == {}                                   # no body: an empty object
    answer = api.call('POST', '/', 'hello')
    assert answer.status == 400 and answer.json['message'].startswith("Could not parse request body into json: Unrecognized token 'hello'")
    answer = api.call('POST', '/', '"raise"')
    assert answer.status == 200 and answer.json['errorMessage'] == 'Bad thing' and answer.json['errorType'] == 'ValueError'


def test_custom_integration_selects_by_error_message(gateway, api, answers):
    api.function('/', 'POST', answers, kind='AWS')
    api.response('/', 'POST', '400', pattern='.*Bad.*', headers={'X-Kind': "'bad'"})
    api.function('/none', 'POST', answers, kind='AWS')
    gateway.delete_integration_response(**api.at('/none', 'POST'), statusCode='200')
    api.function('/literal', 'POST', answers, kind='AWS', requestTemplates={'application/json': '{"fixed": true}'})
    api.deploy()
    answer = api.call('POST', '/', '"raise"')
    assert (answer.status, answer.headers['X-Kind'], answer.json['errorMessage']) == (400, 'bad', 'Bad thing')
    assert api.call('POST', '/', '{"errorMessage": "Bad"}').status == 200    # no error: the default response
    assert error_of(api.call('POST', '/none', '{}')) == INTERNAL
    assert api.call('POST', '/literal', '{"other": 1}', {'Content-Type': 'application/json'}).json == {'fixed': True}


def test_answer_outlives_its_stage(gateway, api, answers, unique):
    """An answer with a header and a template of the stage, which was dropped from the loops' caches while the function ran."""
    template = 'x' * 200_000
    api.function('/', 'POST', answers, kind='AWS')
    gateway.delete_integration_response(**api.at('/', 'POST'), statusCode='200')
    gateway.delete_method_response(**api.at('/', 'POST'), statusCode='200')
    api.response('/', 'POST', '200', headers={'X-Kind': "'template'"}, template=template)
    api.deploy()
    with ThreadPoolExecutor() as pool:
        late = [pool.submit(api.call, 'POST', '/', '"nap"') for _ in range(4)]
        time.sleep(0.3)
        gateway.update_rest_api(restApiId=api.id, patchOperations=[{'op': 'replace', 'path': '/name', 'value': unique('api')}])
        for _ in range(8):                                                   # so that every loop looks at its cache again
            assert api.call('GET', '/').status == 403
        for answer in (f.result() for f in late):
            assert (answer.status, answer.headers['X-Kind'], answer.text) == (200, 'template', template)


def test_permission(client, deploy_function, api):
    """The function's policy decides; its source ARN is matched with API, stage, the request's method and the resource's path, variables as
    they are named there: another name is another path (aws/serverless-application-model issue 540), ANY no method (issue 296)."""
    name = 'apigw-permission'
    arn = deploy_function(name, ECHO)
    api.function('/a/{id}', 'ANY', arn)
    api.deploy()
    assert error_of(api.call('GET', '/a/1')) == INTERNAL
    functions = client('lambda')
    base = f'arn:aws:execute-api:{REGION}:{ACCOUNT}:{api.id}'
    for source, status in [(f'{base}/*/POST/a/*', 500), (f'{base}/dev/GET/a/*', 500), (f'{base}/*/GET/a/*', 200), (f'{base}/*', 200), (f'{base}/prod/*/*', 200),
                           (f'{base}/*/GET/a/{{id}}', 200), (f'{base}/*/GET/a/{{other}}', 500), (f'{base}/*/GET/a/1', 500), (f'{base}/*/ANY/a/*', 500),
                           (f'{base}/*/*/a/{{id}}', 200), (f'{base}/*/GET/a/?id?', 200)]:
        functions.add_permission(FunctionName=name, StatementId='s', Action='lambda:InvokeFunction', Principal='apigateway.amazonaws.com', SourceArn=source)
        assert api.call('GET', '/a/1').status == status, source
        functions.remove_permission(FunctionName=name, StatementId='s')
    assert error_of(api.call('GET', '/a/1')) == INTERNAL


def test_function_missing_and_late(gateway, api, answers):
    api.function('/missing', 'GET', f'arn:aws:lambda:{REGION}:{ACCOUNT}:function:apigw-nothing')
    api.function('/late', 'POST', answers, timeoutInMillis=500)
    api.function('/variable', 'GET', answers.replace('apigw-answers', '${stageVariables.function}'))
    api.deploy(variables={'function': 'apigw-answers'})
    assert error_of(api.call('GET', '/missing')) == INTERNAL
    begin = time.time()
    assert error_of(api.call('POST', '/late', '"sleep"')) == (504, 'InternalServerErrorException', {'message': 'Endpoint request timed out'})
    assert time.time() - begin < 2.5
    assert api.call('GET', '/variable').status == 502                        # it ran: its answer is the event
    time.sleep(3)                                                            # the late answer finds nobody and nothing breaks
    assert api.call('POST', '/late', '{}').status == 200


def test_body_limits(api, echo):
    api.function('/', 'POST', echo)
    api.function('/custom', 'POST', echo, kind='AWS')
    api.deploy()
    too_large = (413, {'message': 'Request Too Long'})
    answer = api.call('POST', '/', 'x' * (7 << 20))                          # over Lambda's 6 MB
    assert (answer.status, answer.json) == too_large
    answer = api.call('POST', '/', 'x' * ((10 << 20) + 1))                   # over the gateway's own 10 MB
    assert (answer.status, answer.json) == too_large
    body = '[' + ' ' * ((6 << 20) - 2) + ']'                                 # what a custom integration passes on is the event
    assert api.call('POST', '/custom', body).json['body'] == '[]'
    answer = api.call('POST', '/custom', body + ' ')
    assert (answer.status, answer.json) == too_large


def test_large_bodies_leave_the_loops_free(server, api, answers):
    """Bodies and answers that take long to read are read elsewhere: other requests are answered meanwhile."""
    api.function('/', 'POST', answers)
    api.function('/custom', 'POST', answers, kind='AWS')
    api.deploy()
    dense = b'[' + b'[],' * 1_900_000                                       # 5.7 MB, and not JSON at its end
    with server.watch() as watch:
        answer = api.call('POST', '/custom', dense)
    assert answer.status == 400 and watch.worst < watch.seconds / 2
    assert api.call('POST', '/', bytes([0x80]) * (3 << 20)).status == 413   # no UTF-8: U+FFFD in its place, over 6 MB
    large = json.dumps({'statusCode': 200, 'body': 'x' * (5 << 20)})
    answer = api.call('POST', '/', large)
    assert (answer.status, len(answer.body)) == (200, 5 << 20)
    large = {'text': 'x' * (5 << 20)}
    assert api.call('POST', '/custom', json.dumps(large)).json == large


def test_methods_that_no_resource_has(api, echo):
    """Methods beside the seven are no API's, not even ANY's; what is no HTTP method at all reaches nobody."""
    api.function('/{proxy+}', 'ANY', echo)
    api.deploy()
    for method in ('PROPFIND', 'TRACE', 'LINK', 'M-SEARCH'):
        answer = api.call(method, '/x')
        assert (answer.status, answer.json) == (403, {'message': 'Missing Authentication Token'}), method
    assert api.call('FOO', '/x').status == 400


# ---- other clients, durability ----

def test_cli(server, api):
    api.mock('/', 'GET')
    deployed = json.loads(server.cli('apigateway', 'create-deployment', '--rest-api-id', api.id, '--stage-name', 'cli').stdout)
    stages = json.loads(server.cli('apigateway', 'get-stages', '--rest-api-id', api.id).stdout)
    assert stages['item'][0]['deploymentId'] == deployed['id']
    assert api.call('GET', '/', stage='cli').status == 200
    arn = f'arn:aws:apigateway:{REGION}::/restapis/{api.id}'
    server.cli('apigateway', 'tag-resource', '--resource-arn', arn, '--tags', 'a=b')
    assert json.loads(server.cli('apigateway', 'get-tags', '--resource-arn', arn).stdout) == {'tags': {'a': 'b'}}


def test_regions_are_separate(server, api):
    other = server.client('apigateway', region='eu-central-1')
    assert refused(other.get_rest_api, restApiId=api.id)[:2] == (404, 'NotFoundException')
    there = Api(other, server.url, 'there')
    there.mock('/', 'GET', body='"eu"')
    there.deploy()
    assert there.call('GET', '/').json == 'eu'
