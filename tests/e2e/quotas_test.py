"""AWS's quotas and the bounds of the services: what is just over each is refused, in the service's words, and what is just at it is not."""
import json

import pytest
from botocore.exceptions import ClientError

import harness
from apis import Resources


def refusal(call):
    with pytest.raises(ClientError) as e:
        call()
    return e.value.response['Error']['Code'], e.value.response['Error']['Message']


@pytest.fixture(scope='module')
def api(server):
    client = server.client('apigateway')
    made = Resources(client, name='quotas')
    made.method('/a', 'GET')
    client.put_integration(**made.at('/a', 'GET'), type='MOCK', requestTemplates={'application/json': '{"statusCode": 200}'})
    made.deployment = client.create_deployment(restApiId=made.id)['id']
    yield made
    client.delete_rest_api(restApiId=made.id)


def test_names_of_apis(api):
    api.client.update_rest_api(restApiId=api.id, patchOperations=[{'op': 'replace', 'path': '/name', 'value': 'n' * 1024}])
    change = [{'op': 'replace', 'path': '/name', 'value': 'n' * 1025}]
    assert refusal(lambda: api.client.update_rest_api(restApiId=api.id, patchOperations=change))[0] == 'BadRequestException'
    assert refusal(lambda: api.client.create_rest_api(name='n' * 1025))[0] == 'BadRequestException'


def test_operations_of_a_patch(api):
    change = [{'op': 'replace', 'path': '/description', 'value': str(i)} for i in range(201)]
    api.client.update_rest_api(restApiId=api.id, patchOperations=change[:200])
    assert refusal(lambda: api.client.update_rest_api(restApiId=api.id, patchOperations=change))[0] == 'BadRequestException'


def test_mapping_templates(api):
    def put(n):
        api.client.put_integration(**api.at('/a', 'GET'), type='MOCK', requestTemplates={'application/json': 'x' * n})
    put(300 * 1024)
    assert refusal(lambda: put(300 * 1024 + 1))[0] == 'LimitExceededException'


def test_stages_and_their_variables(api):
    def stage(name, variables):
        api.client.create_stage(restApiId=api.id, deploymentId=api.deployment, stageName=name, variables=variables)
    stage('s0', {f'v{i}': 'x' * 512 for i in range(100)})
    assert refusal(lambda: stage('over', {f'v{i}': 'x' for i in range(101)}))[0] == 'LimitExceededException'
    assert refusal(lambda: stage('over', {'n' * 65: 'x'}))[0] == 'BadRequestException'
    assert refusal(lambda: stage('over', {'n' * 64: 'x' * 513}))[0] == 'BadRequestException'
    for i in range(1, 10):
        stage(f's{i}', {})
    assert refusal(lambda: stage('over', {}))[0] == 'LimitExceededException'


def test_resources_of_an_api(server, unique):
    client = server.client('apigateway')
    made = Resources(client, name=unique('resources'))
    for i in range(299):
        made.resource(f'/r{i}')
    assert refusal(lambda: made.resource('/over'))[0] == 'LimitExceededException'
    client.delete_rest_api(restApiId=made.id)


def test_items_of_a_batch(server, unique):
    client, table = server.client('dynamodb'), unique('batch')
    client.create_table(TableName=table, BillingMode='PAY_PER_REQUEST', KeySchema=[{'AttributeName': 'k', 'KeyType': 'HASH'}],
                        AttributeDefinitions=[{'AttributeName': 'k', 'AttributeType': 'S'}])

    def put(n):
        half = [{'PutRequest': {'Item': {'k': {'S': str(i)}}}} for i in range(n)]
        client.batch_write_item(RequestItems={table: half})
    put(25)
    assert refusal(lambda: put(26))[0] == 'ValidationException'

    def named(n):
        return lambda: client.scan(TableName=table, ProjectionExpression='#' + 'n' * (n - 1), ExpressionAttributeNames={'#' + 'n' * (n - 1): 'k'})
    named(255)()
    assert refusal(named(256))[0] == 'ValidationException'
    client.delete_table(TableName=table)


def test_names_of_tables(server):
    client = server.client('dynamodb')

    def create(name):
        client.create_table(TableName=name, BillingMode='PAY_PER_REQUEST', KeySchema=[{'AttributeName': 'k', 'KeyType': 'HASH'}],
                            AttributeDefinitions=[{'AttributeName': 'k', 'AttributeType': 'S'}])
    create('t' * 255)
    code, message = refusal(lambda: create('t' * 256))
    assert code == 'ValidationException' and "at 'tableName' failed to satisfy constraint: Member must have length less than or equal to 255" in message
    assert refusal(lambda: client.describe_table(TableName='t' * 256)) == (
        'ValidationException', 'TableName must be at least 3 characters long and at most 255 characters long')
    arn = client.describe_table(TableName='t' * 255)['Table']['TableArn']
    assert client.describe_table(TableName=arn)['Table']['TableName'] == 't' * 255
    code, message = refusal(lambda: client.describe_table(TableName=arn + 't'))
    assert code == 'ValidationException' and 'Member must have length less than or equal to 255' in message
    client.delete_table(TableName='t' * 255)


def test_terms_of_a_filter(server, unique):
    client, group = server.client('logs'), unique('/quotas')
    client.create_log_group(logGroupName=group)

    def ask(n):
        client.filter_log_events(logGroupName=group, filterPattern=' '.join(f't{i}' for i in range(n)))
    ask(64)
    assert refusal(lambda: ask(65))[0] == 'NotImplemented'        # a bound of this program
    client.delete_log_group(logGroupName=group)


def test_policies_of_sessions(server, unique):
    iam, user = server.client('iam'), unique('user')
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName='p', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': {
        'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Resource': '*'}}))
    key = iam.create_access_key(UserName=user)['AccessKey']
    sts = server.client('sts', access_key=key['AccessKeyId'], secret_key=key['SecretAccessKey'])
    role = harness.make_role(server, unique('session'), trust=json.dumps({'Version': '2012-10-17', 'Statement': [
        {'Effect': 'Allow', 'Principal': {'AWS': harness.ACCOUNT}, 'Action': 'sts:AssumeRole'}]}))

    def assume(client=sts, **more):
        return client.assume_role(RoleArn=role, RoleSessionName='session', **more)

    def policy(char, n):
        document = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::%s"}}'
        return document % (char * (n - len(document) + 2))
    for char in 'a\u00ff':
        key = assume(Policy=policy(char, 2048))['Credentials']
        server.client('sts', key['AccessKeyId'], key['SecretAccessKey'], key['SessionToken']).get_caller_identity()
        code, message = refusal(lambda: assume(Policy=policy(char, 2049)))
        assert code == 'ValidationError' and 'Member must have length less than or equal to 2048' in message
    code, message = refusal(lambda: assume(Policy=policy('\u0100', 200)))      # two bytes is the most that a character has
    assert code == 'ValidationError' and 'Member must satisfy regular expression pattern' in message

    # Role chaining: an hour, whatever the role's own maximum is.
    name = role.rsplit('/', 1)[1]
    iam.update_role(RoleName=name, MaxSessionDuration=7200)
    iam.put_role_policy(RoleName=name, PolicyName='p', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': {
        'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Resource': '*'}}))
    key = assume(DurationSeconds=7200)['Credentials']
    chained = server.client('sts', key['AccessKeyId'], key['SecretAccessKey'], key['SessionToken'])
    assume(chained, DurationSeconds=3600)
    assert refusal(lambda: assume(chained, DurationSeconds=3601)) == (
        'ValidationError', 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.')


def test_statements_of_a_function(server, unique):
    client, name = server.client('lambda'), unique('quotas')
    harness.deploy_function(server, name, 'def handler(event, context):\n    return 1\n')

    def permit():
        for i in range(200):
            client.add_permission(FunctionName=name, StatementId=f's{i:03}' + 'x' * 90, Action='lambda:InvokeFunction', Principal='apigateway.amazonaws.com',
                                  SourceArn=f'arn:aws:execute-api:us-east-1:{harness.ACCOUNT}:a{i}/*/GET/' + 'x' * 100)
    assert refusal(permit)[0] == 'PolicyLengthExceededException'
    client.delete_function(FunctionName=name)
