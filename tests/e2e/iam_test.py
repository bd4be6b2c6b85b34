"""IAM and STS through boto3: operations, answers, errors, and that decisions follow what was stored."""
import json
import time
import urllib.parse

import pytest
from botocore.exceptions import ClientError

import harness

ACCOUNT = harness.ACCOUNT
LAMBDA_TRUST = harness.LAMBDA_TRUST


def policy(action, resource='*', effect='Allow', **more):
    return json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': effect, 'Action': action, 'Resource': resource, **more}]})


def trust(principal):
    return json.dumps({'Version': '2012-10-17', 'Statement': [
        {'Effect': 'Allow', 'Principal': {'AWS': principal}, 'Action': 'sts:AssumeRole'}]})


def bare_trust(principal):
    return json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': principal, 'Action': 'sts:AssumeRole'}]})


def failure(code, message=None, status=None):
    """Context: the call inside fails in that way."""
    class Failure:
        def __enter__(self):
            return self

        def __exit__(self, kind, error, trace):
            assert isinstance(error, ClientError), f'expected {code}, got {error!r}'
            self.response = error.response
            assert error.response['Error']['Code'] == code, error
            if message is not None:
                assert error.response['Error']['Message'] == message
            if status is not None:
                assert error.response['ResponseMetadata']['HTTPStatusCode'] == status
            return True
    return Failure()


@pytest.fixture
def iam(client):
    return client('iam')


@pytest.fixture
def user(server, iam, unique):
    """A user with a key; attribute client(service) gives its clients."""
    class User:
        name = unique('user')
        arn = iam.create_user(UserName=name)['User']['Arn']
        key = iam.create_access_key(UserName=name)['AccessKey']

        @classmethod
        def client(cls, service):
            return server.client(service, cls.key['AccessKeyId'], cls.key['SecretAccessKey'])

        @classmethod
        def allow(cls, *actions, name='p', **kw):
            iam.put_user_policy(UserName=cls.name, PolicyName=name, PolicyDocument=policy(list(actions), **kw))
    return User


# ---- users ----

def test_user_life(iam, unique):
    name = unique('Alice')
    made = iam.create_user(UserName=name, Path='/staff/', Tags=[{'Key': 'team', 'Value': 'blue'}])['User']
    assert made['Arn'] == f'arn:aws:iam::{ACCOUNT}:user/staff/{name}'
    assert made['UserId'].startswith('AIDA') and len(made['UserId']) == 21
    assert made['Path'] == '/staff/' and made['Tags'] == [{'Key': 'team', 'Value': 'blue'}]
    got = iam.get_user(UserName=name)['User']
    assert got == made
    with failure('EntityAlreadyExists', f'User with name {name.upper()} already exists.', 409):
        iam.create_user(UserName=name.upper())
    assert name in [u['UserName'] for u in iam.list_users(PathPrefix='/staff/')['Users']]
    assert name not in [u['UserName'] for u in iam.list_users(PathPrefix='/other/')['Users']]
    iam.delete_user(UserName=name)
    with failure('NoSuchEntity', f'The user with name {name} cannot be found.', 404):
        iam.get_user(UserName=name)
    with failure('NoSuchEntity'):
        iam.delete_user(UserName=name)


def test_user_rename(server, iam, user, unique):
    other = unique('renamed')
    user.allow('iam:GetUser')
    iam.attach_user_policy(UserName=user.name, PolicyArn='arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess')
    iam.update_user(UserName=user.name, NewUserName=other, NewPath='/x/')
    assert user.client('sts').get_caller_identity()['Arn'] == f'arn:aws:iam::{ACCOUNT}:user/x/{other}'
    assert user.client('iam').get_user()['User']['UserName'] == other
    names = [u['UserName'] for u in
             iam.list_entities_for_policy(PolicyArn='arn:aws:iam::aws:policy/AmazonDynamoDBReadOnlyAccess')['PolicyUsers']]
    assert other in names and user.name not in names
    with failure('NoSuchEntity'):
        iam.get_user(UserName=user.name)


def test_list_users_pages(iam, unique):
    path = '/' + unique('page') + '/'
    names = sorted(unique(f'u{i}') for i in range(5))
    for name in names:
        iam.create_user(UserName=name, Path=path)
    first = iam.list_users(PathPrefix=path, MaxItems=2)
    assert first['IsTruncated'] and len(first['Users']) == 2
    pages = list(iam.get_paginator('list_users').paginate(PathPrefix=path, PaginationConfig={'PageSize': 2}))
    assert sorted(u['UserName'] for p in pages for u in p['Users']) == names
    with failure('ValidationError', 'Invalid Marker.', 400):
        iam.list_users(Marker='%%%')


def test_access_keys(server, iam, user):
    name = user.name
    assert user.key['AccessKeyId'].startswith('AKIA') and len(user.key['AccessKeyId']) == 20
    assert len(user.key['SecretAccessKey']) == 40 and user.key['Status'] == 'Active'
    second = iam.create_access_key(UserName=name)['AccessKey']
    with failure('LimitExceeded', 'Cannot exceed quota for AccessKeysPerUser: 2', 409):
        iam.create_access_key(UserName=name)
    ids = {k['AccessKeyId'] for k in iam.list_access_keys(UserName=name)['AccessKeyMetadata']}
    pages = list(iam.get_paginator('list_access_keys').paginate(UserName=name, PaginationConfig={'PageSize': 1}))
    assert len(pages) == len(ids) and {p['AccessKeyMetadata'][0]['AccessKeyId'] for p in pages} == ids
    assert ids == {user.key['AccessKeyId'], second['AccessKeyId']}
    identity = user.client('sts').get_caller_identity()
    assert identity['Arn'] == user.arn and identity['Account'] == ACCOUNT
    iam.update_access_key(UserName=name, AccessKeyId=user.key['AccessKeyId'], Status='Inactive')
    with failure('InvalidClientTokenId', 'The security token included in the request is invalid.', 403):
        user.client('sts').get_caller_identity()
    iam.update_access_key(UserName=name, AccessKeyId=user.key['AccessKeyId'], Status='Active')
    user.client('sts').get_caller_identity()
    with failure('DeleteConflict', 'Cannot delete entity, must delete access keys first.', 409):
        iam.delete_user(UserName=name)
    iam.delete_access_key(UserName=name, AccessKeyId=user.key['AccessKeyId'])
    with failure('InvalidClientTokenId'):
        user.client('sts').get_caller_identity()
    with failure('NoSuchEntity', f'The Access Key with id {user.key["AccessKeyId"]} cannot be found.'):
        iam.delete_access_key(UserName=name, AccessKeyId=user.key['AccessKeyId'])
    iam.delete_access_key(UserName=name, AccessKeyId=second['AccessKeyId'])
    iam.delete_user(UserName=name)


def test_own_key(iam, user):
    user.allow('iam:*')
    assert user.client('iam').get_user()['User']['Arn'] == user.arn
    assert [k['AccessKeyId'] for k in user.client('iam').list_access_keys()['AccessKeyMetadata']] == [user.key['AccessKeyId']]


def test_root(server, client, iam):
    identity = client('sts').get_caller_identity()
    assert identity['Arn'] == f'arn:aws:iam::{ACCOUNT}:root' and identity['UserId'] == ACCOUNT
    assert iam.get_user()['User']['Arn'] == f'arn:aws:iam::{ACCOUNT}:root'
    assert [k['AccessKeyId'] for k in iam.list_access_keys()['AccessKeyMetadata']] == [server.access_key]


# ---- roles ----

def test_role_life(iam, unique):
    name = unique('role')
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=LAMBDA_TRUST, Path='/service-role/', Description='for tests',
                           MaxSessionDuration=7200, Tags=[{'Key': 'a', 'Value': 'b'}])['Role']
    assert made['Arn'] == f'arn:aws:iam::{ACCOUNT}:role/service-role/{name}' and made['RoleId'].startswith('AROA')
    assert made['AssumeRolePolicyDocument'] == json.loads(LAMBDA_TRUST) and 'MaxSessionDuration' not in made
    got = iam.get_role(RoleName=name)['Role']
    assert got['MaxSessionDuration'] == 7200 and got['Description'] == 'for tests' and got['Tags'] == [{'Key': 'a', 'Value': 'b'}]
    with failure('EntityAlreadyExists', f'Role with name {name} already exists.', 409):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=LAMBDA_TRUST)
    iam.update_role(RoleName=name, Description='other', MaxSessionDuration=3600)
    assert iam.get_role(RoleName=name)['Role']['Description'] == 'other'
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust([ACCOUNT, '111122223333', '*']))
    assert iam.get_role(RoleName=name)['Role']['AssumeRolePolicyDocument'] == json.loads(trust(
        [f'arn:aws:iam::{ACCOUNT}:root', 'arn:aws:iam::111122223333:root', '*']))       # an account is shown as its root
    assert name in [r['RoleName'] for p in iam.get_paginator('list_roles').paginate(PathPrefix='/service-role/') for r in p['Roles']]
    assert iam.list_instance_profiles_for_role(RoleName=name)['InstanceProfiles'] == []
    iam.delete_role(RoleName=name)
    with failure('NoSuchEntity', f'The role with name {name} cannot be found.', 404):
        iam.get_role(RoleName=name)


@pytest.mark.parametrize('document, message', [
    ('{', 'This policy contains invalid Json'),
    (policy('sts:AssumeRole', Principal={'Service': 'lambda.amazonaws.com'}), 'Has prohibited field Resource.'),
    (trust('nobody'), 'Invalid principal in policy: "AWS":"nobody"'),
    (trust(f'arn:aws:iam::{ACCOUNT}:role/never-made'), f'Invalid principal in policy: "AWS":"arn:aws:iam::{ACCOUNT}:role/never-made"'),
    (trust(f'arn:aws:iam::{ACCOUNT}:user/never-made'), f'Invalid principal in policy: "AWS":"arn:aws:iam::{ACCOUNT}:user/never-made"'),
    # aws/aws-cdk, packages/@aws-cdk/aws-iam/test/role.test.ts: "Principal: *" in practice
    (bare_trust('*'), 'AssumeRolepolicy contained an invalid principal: "STAR":"*".'),
    # hashicorp/terraform#35086 (2024), aws-samples/aws-cdk-examples#801 (2023)
    (bare_trust({'Service': 'tagging.amazonaws.com'}), 'Invalid principal in policy: "SERVICE":"tagging.amazonaws.com"'),
    (bare_trust({'Service': ['lambda.amazonaws.com', 'amazonaws.com']}), 'Invalid principal in policy: "SERVICE":"amazonaws.com"'),
    (bare_trust({'AWS': ACCOUNT}).replace('"Effect"', '"Effect": "Deny", "Effect"'), 'This policy contains invalid Json'),
])
def test_malformed_trust(iam, unique, document, message):
    name = unique('role')
    with failure('MalformedPolicyDocument', message, 400):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    with failure('NoSuchEntity'):
        iam.get_role(RoleName=name)


def test_delete_role_conflicts(iam, unique):
    name = unique('role')
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=LAMBDA_TRUST)
    arn = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    iam.put_role_policy(RoleName=name, PolicyName='inline', PolicyDocument=policy('dynamodb:*'))
    with failure('DeleteConflict', 'Cannot delete entity, must detach all policies first.', 409):
        iam.delete_role(RoleName=name)
    iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    with failure('NoSuchEntity', f'Policy {arn} was not found.'):
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    with failure('DeleteConflict', 'Cannot delete entity, must delete policies first.', 409):
        iam.delete_role(RoleName=name)
    iam.delete_role_policy(RoleName=name, PolicyName='inline')
    iam.delete_role(RoleName=name)


def test_an_account_in_the_answers(iam, unique):
    """CreateRole's shows what was given: localstack, tests/aws/services/sts/test_sts.snapshot.json, test_assume_role, 2025."""
    name = unique('role')
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(ACCOUNT))['Role']
    assert made['AssumeRolePolicyDocument'] == json.loads(trust(ACCOUNT))
    assert iam.get_role(RoleName=name)['Role']['AssumeRolePolicyDocument'] == json.loads(trust(f'arn:aws:iam::{ACCOUNT}:root'))


@pytest.mark.parametrize('arn', ['nothing-valid-in-here', 'arn::b:::something/test-role', 'arn:a::::something/test-role',
                                 'arn:a:::something/test-role', 'arn:a:a::aaaaaaaaaa:'])
def test_roles_that_are_no_arn(user, server, arn):
    """As recorded on AWS: localstack, tests/aws/services/sts/test_sts.snapshot.json, test_sts_invalid_parameters, 21 July 2025."""
    for sts in (user.client('sts'), server.client('sts')):
        with failure('ValidationError', f'{arn} is invalid', 400):
            sts.assume_role(RoleArn=arn, RoleSessionName='Session1')


@pytest.mark.parametrize('service', ['lambda', 'states.us-east-1', 'ec2', 'batchoperations.s3'])
def test_services_that_may_be_trusted(iam, unique, service):
    name, document = unique('role'), bare_trust({'Service': f'{service}.amazonaws.com'})
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    assert iam.get_role(RoleName=name)['Role']['AssumeRolePolicyDocument'] == json.loads(document)


# ---- policies ----

REPEATED = [
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}]}',
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}], '
    '"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}',
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": '
    '{"aws:username": "a", "aws:username": "b"}}}]}',
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": '
    '{"aws:username": "a"}, "StringEquals": {"aws:username": "b"}}}]}',
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": '
    '{"aws:username": "a"}}, "Cond\\u0069tion": {}}]}']


@pytest.mark.parametrize('document', REPEATED)
def test_repeated_keys_in_policies(server, iam, user, unique, document):
    """The last one would decide, and a Deny or a condition vanish. As for any other text that is not a policy's JSON."""
    for call in (lambda: iam.put_user_policy(UserName=user.name, PolicyName='p', PolicyDocument=document),
                 lambda: iam.create_policy(PolicyName=unique('policy'), PolicyDocument=document)):
        with failure('MalformedPolicyDocument', 'Syntax errors in policy.', 400):
            call()
    role = iam.create_role(RoleName=unique('role'), AssumeRolePolicyDocument=trust(user.arn))['Role']['Arn']
    with failure('MalformedPolicyDocument', 'Syntax errors in policy.', 400):
        user.client('sts').assume_role(RoleArn=role, RoleSessionName='session', Policy=document)


def test_what_is_no_arn(iam, user):
    """As recorded on AWS: localstack, tests/aws/services/iam/test_iam.snapshot.json, test_user_attach_policy, 6 March 2025."""
    for call in (iam.attach_user_policy, iam.detach_user_policy):
        with failure('ValidationError', 'Invalid ARN:  Could not be parsed!', 400):
            call(UserName=user.name, PolicyArn='longpolicynamebutnoarn')
    with failure('NoSuchEntity', f'Policy arn:aws:iam::{ACCOUNT}:policy/never-made does not exist or is not attachable.', 404):
        iam.attach_user_policy(UserName=user.name, PolicyArn=f'arn:aws:iam::{ACCOUNT}:policy/never-made')


def test_policy_and_versions(iam, unique):
    name = unique('policy')
    made = iam.create_policy(PolicyName=name, Path='/p/', PolicyDocument=policy('s3:GetObject'), Description='d')['Policy']
    arn = made['Arn']
    assert arn == f'arn:aws:iam::{ACCOUNT}:policy/p/{name}' and made['PolicyId'].startswith('ANPA')
    assert made['DefaultVersionId'] == 'v1' and made['AttachmentCount'] == 0 and made['IsAttachable'] is True
    with failure('EntityAlreadyExists', f'A policy called {name} already exists. Duplicate names are not allowed.', 409):
        iam.create_policy(PolicyName=name, PolicyDocument=policy('s3:*'))
    assert iam.get_policy(PolicyArn=arn)['Policy']['Description'] == 'd'
    assert iam.get_policy_version(PolicyArn=arn, VersionId='v1')['PolicyVersion']['Document'] == json.loads(policy('s3:GetObject'))
    assert iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy('s3:*'))['PolicyVersion']['VersionId'] == 'v2'
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy('s3:Put*'), SetAsDefault=True)
    for _ in range(2):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy('s3:*'))
    with failure('LimitExceeded', 'A managed policy can have up to 5 versions. Before you create a new version, you must delete an '
                 'existing version.', 409):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy('s3:*'))
    versions = iam.list_policy_versions(PolicyArn=arn)['Versions']
    assert [v['VersionId'] for v in versions] == ['v5', 'v4', 'v3', 'v2', 'v1']
    assert [v['VersionId'] for v in versions if v['IsDefaultVersion']] == ['v3']
    pages = iam.get_paginator('list_policy_versions').paginate(PolicyArn=arn, PaginationConfig={'PageSize': 2})
    assert [v['VersionId'] for p in pages for v in p['Versions']] == ['v5', 'v4', 'v3', 'v2', 'v1']
    with failure('DeleteConflict', 'Cannot delete the default version of a policy.', 409):
        iam.delete_policy_version(PolicyArn=arn, VersionId='v3')
    iam.set_default_policy_version(PolicyArn=arn, VersionId='v1')
    with failure('NoSuchEntity', f'Policy {arn} version v9 does not exist or is not attachable.'):
        iam.get_policy_version(PolicyArn=arn, VersionId='v9')
    with failure('DeleteConflict'):
        iam.delete_policy(PolicyArn=arn)
    for version in ('v2', 'v3', 'v4', 'v5'):
        iam.delete_policy_version(PolicyArn=arn, VersionId=version)
    assert iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy('s3:*'))['PolicyVersion']['VersionId'] == 'v6'
    iam.delete_policy_version(PolicyArn=arn, VersionId='v6')
    iam.delete_policy(PolicyArn=arn)
    with failure('NoSuchEntity', f'Policy {arn} was not found.', 404):
        iam.get_policy(PolicyArn=arn)


def test_attachments(iam, unique, user):
    arn = iam.create_policy(PolicyName=unique('policy'), PolicyDocument=policy('s3:*'))['Policy']['Arn']
    role = unique('role')
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=LAMBDA_TRUST)
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    iam.attach_user_policy(UserName=user.name, PolicyArn=arn)
    assert iam.list_attached_role_policies(RoleName=role)['AttachedPolicies'] == [{'PolicyName': arn.split('/')[-1], 'PolicyArn': arn}]
    assert iam.list_attached_user_policies(UserName=user.name)['AttachedPolicies'][0]['PolicyArn'] == arn
    entities = iam.list_entities_for_policy(PolicyArn=arn)
    assert [r['RoleName'] for r in entities['PolicyRoles']] == [role] and [u['UserName'] for u in entities['PolicyUsers']] == [user.name]
    assert iam.list_entities_for_policy(PolicyArn=arn, EntityFilter='Role')['PolicyUsers'] == []
    assert iam.get_policy(PolicyArn=arn)['Policy']['AttachmentCount'] == 2
    attached = [p['Arn'] for p in iam.list_policies(Scope='Local', OnlyAttached=True)['Policies']]
    assert arn in attached
    with failure('DeleteConflict', 'Cannot delete a policy attached to entities.', 409):
        iam.delete_policy(PolicyArn=arn)
    missing = f'arn:aws:iam::{ACCOUNT}:policy/never-made'
    with failure('NoSuchEntity', f'Policy {missing} does not exist or is not attachable.', 404):
        iam.attach_role_policy(RoleName=role, PolicyArn=missing)
    with failure('ValidationError', 'Invalid ARN:  Could not be parsed!', 400):
        iam.attach_role_policy(RoleName=role, PolicyArn='AmazonDynamoDBFullAccess')
    iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    iam.detach_user_policy(UserName=user.name, PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)


def test_attachment_quota(iam, unique):
    role = unique('role')
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=LAMBDA_TRUST)
    arns = [iam.create_policy(PolicyName=unique('quota'), PolicyDocument=policy('s3:*'))['Policy']['Arn'] for _ in range(11)]
    for arn in arns[:10]:
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    with failure('LimitExceeded', 'Cannot exceed quota for PoliciesPerRole: 10', 409):
        iam.attach_role_policy(RoleName=role, PolicyArn=arns[10])


def test_inline_policies(iam, unique):
    role = unique('role')
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=LAMBDA_TRUST)
    text = policy('dynamodb:*', 'arn:aws:dynamodb:*:*:table/a b+c%2F')
    iam.put_role_policy(RoleName=role, PolicyName='b', PolicyDocument=text)
    iam.put_role_policy(RoleName=role, PolicyName='a', PolicyDocument=policy('s3:*'))
    assert iam.list_role_policies(RoleName=role)['PolicyNames'] == ['a', 'b']
    got = iam.get_role_policy(RoleName=role, PolicyName='b')
    assert got['PolicyDocument'] == json.loads(text) and got['RoleName'] == role
    with failure('NoSuchEntity', 'The role policy with name c cannot be found.', 404):
        iam.get_role_policy(RoleName=role, PolicyName='c')
    with failure('MalformedPolicyDocument', 'Policy statement must contain resources.', 400):
        iam.put_role_policy(RoleName=role, PolicyName='c', PolicyDocument=json.dumps(
            {'Version': '2012-10-17', 'Statement': {'Effect': 'Allow', 'Action': 's3:*'}}))
    with failure('LimitExceeded', f'Maximum policy size of 10240 bytes exceeded for role {role}', 409):
        iam.put_role_policy(RoleName=role, PolicyName='c', PolicyDocument=policy('s3:*', ['arn:aws:s3:::' + 'x' * 60] * 150))
    assert iam.list_role_policies(RoleName=role)['PolicyNames'] == ['a', 'b']


def test_document_is_percent_encoded(server, iam, unique):
    """In the XML itself; boto3 decodes it."""
    role = unique('role')
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=LAMBDA_TRUST)
    seen = []
    other = server.client('iam')
    other.meta.events.register('before-parse.iam.GetRole', lambda response_dict, **kw: seen.append(response_dict['body']))
    other.get_role(RoleName=role)
    assert urllib.parse.quote(LAMBDA_TRUST, safe='').encode() in seen[0]


def test_managed_policies(iam):
    names = {p['PolicyName'] for p in iam.list_policies(Scope='AWS')['Policies']}
    assert names == {'AdministratorAccess', 'AmazonDynamoDBFullAccess', 'AmazonDynamoDBReadOnlyAccess', 'AWSLambdaBasicExecutionRole',
                     'AWSLambda_FullAccess', 'CloudWatchLogsFullAccess', 'AmazonAPIGatewayAdministrator',
                     'AmazonAPIGatewayInvokeFullAccess', 'AWSLambdaExecute', 'AWSLambdaRole', 'AWSLambdaDynamoDBExecutionRole',
                     'AWSLambdaVPCAccessExecutionRole', 'AmazonAPIGatewayPushToCloudWatchLogs'}
    for p in iam.list_policies(Scope='AWS')['Policies']:
        version = iam.get_policy_version(PolicyArn=p['Arn'], VersionId=p['DefaultVersionId'])['PolicyVersion']
        assert version['Document']['Version'] == '2012-10-17' and version['IsDefaultVersion']
    basic = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'
    document = iam.get_policy_version(PolicyArn=basic, VersionId='v1')['PolicyVersion']['Document']
    assert set(document['Statement'][0]['Action']) == {'logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'}
    with failure('AccessDenied', status=403):
        iam.delete_policy(PolicyArn=basic)


def test_tags(iam, unique):
    user, role = unique('user'), unique('role')
    iam.create_user(UserName=user)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=LAMBDA_TRUST)
    arn = iam.create_policy(PolicyName=unique('policy'), PolicyDocument=policy('s3:*'))['Policy']['Arn']
    for tag, untag, tags, name in ((iam.tag_user, iam.untag_user, iam.list_user_tags, {'UserName': user}),
                                   (iam.tag_role, iam.untag_role, iam.list_role_tags, {'RoleName': role}),
                                   (iam.tag_policy, iam.untag_policy, iam.list_policy_tags, {'PolicyArn': arn})):
        tag(**name, Tags=[{'Key': 'b', 'Value': '1'}, {'Key': 'a', 'Value': '2'}])
        tag(**name, Tags=[{'Key': 'B', 'Value': '3'}])
        assert tags(**name)['Tags'] == [{'Key': 'B', 'Value': '3'}, {'Key': 'a', 'Value': '2'}]
        untag(**name, TagKeys=['a', 'missing'])
        assert tags(**name)['Tags'] == [{'Key': 'B', 'Value': '3'}]
        with failure('InvalidInput', 'Duplicate tag keys found. Please note that Tag keys are case insensitive.', 400):
            tag(**name, Tags=[{'Key': 'x', 'Value': '1'}, {'Key': 'X', 'Value': '2'}])
        with failure('LimitExceeded', status=409):
            for part in range(2):
                tag(**name, Tags=[{'Key': f'k{part}-{i}', 'Value': ''} for i in range(30)])


def test_not_implemented(iam):
    with failure('NotImplemented', status=501):
        iam.create_group(GroupName='g')


# ---- decisions ----

def test_denied_and_allowed(user):
    with failure('AccessDenied', f'User: {user.arn} is not authorized to perform: iam:GetUser on resource: {user.arn} because no '
                 'identity-based policy allows the iam:GetUser action', 403):
        user.client('iam').get_user(UserName=user.name)
    user.allow('iam:GetUser')
    user.client('iam').get_user(UserName=user.name)
    user.allow('*', effect='Deny', name='deny')
    with failure('AccessDenied', f'User: {user.arn} is not authorized to perform: iam:GetUser on resource: {user.arn} with an '
                 'explicit deny in an identity-based policy', 403):
        user.client('iam').get_user(UserName=user.name)
    assert user.client('sts').get_caller_identity()['Arn'] == user.arn


def test_change_of_attached_policy_counts_at_once(iam, user, unique):
    arn = iam.create_policy(PolicyName=unique('policy'), PolicyDocument=policy('iam:ListUsers'))['Policy']['Arn']
    iam.attach_user_policy(UserName=user.name, PolicyArn=arn)
    user.client('iam').list_users()
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy('iam:ListRoles'), SetAsDefault=True)
    with failure('AccessDenied'):
        user.client('iam').list_users()
    user.client('iam').list_roles()
    iam.detach_user_policy(UserName=user.name, PolicyArn=arn)
    with failure('AccessDenied'):
        user.client('iam').list_roles()


def test_boundary(iam, user, unique):
    arn = iam.create_policy(PolicyName=unique('boundary'), PolicyDocument=policy('iam:List*'))['Policy']['Arn']
    user.allow('iam:*')
    iam.put_user_permissions_boundary(UserName=user.name, PermissionsBoundary=arn)
    assert iam.get_user(UserName=user.name)['User']['PermissionsBoundary'] == {
        'PermissionsBoundaryType': 'Policy', 'PermissionsBoundaryArn': arn}
    user.client('iam').list_users()
    with failure('AccessDenied', f'User: {user.arn} is not authorized to perform: iam:GetUser on resource: {user.arn} because no '
                 'permissions boundary allows the iam:GetUser action'):
        user.client('iam').get_user(UserName=user.name)
    assert iam.get_policy(PolicyArn=arn)['Policy']['PermissionsBoundaryUsageCount'] == 1
    with failure('DeleteConflict'):
        iam.delete_policy(PolicyArn=arn)
    iam.delete_user_permissions_boundary(UserName=user.name)
    user.client('iam').get_user(UserName=user.name)
    iam.delete_policy(PolicyArn=arn)


def test_variables_and_conditions(iam, user):
    own = f'arn:aws:iam::{ACCOUNT}:user/${{aws:username}}'
    iam.tag_user(UserName=user.name, Tags=[{'Key': 'team', 'Value': 'blue'}])
    user.allow('iam:GetUser', resource=own, Condition={'StringEquals': {'aws:PrincipalTag/team': 'blue'},
                                                       'IpAddress': {'aws:SourceIp': '127.0.0.0/8'}})
    user.client('iam').get_user()
    iam.tag_user(UserName=user.name, Tags=[{'Key': 'team', 'Value': 'red'}])
    with failure('AccessDenied'):
        user.client('iam').get_user()


# ---- STS ----

def assume(sts, role_arn, **more):
    return sts.assume_role(RoleArn=role_arn, RoleSessionName='session-1', **more)


def session_client(server, answer, service):
    c = answer['Credentials']
    return server.client(service, c['AccessKeyId'], c['SecretAccessKey'], c['SessionToken'])


def test_assume_role(server, client, iam, user, unique):
    name = unique('role')
    role = iam.create_role(RoleName=name, Path='/app/', AssumeRolePolicyDocument=trust(user.arn))['Role']
    iam.put_role_policy(RoleName=name, PolicyName='p', PolicyDocument=policy('iam:ListUsers'))
    answer = assume(user.client('sts'), role['Arn'])
    assert answer['AssumedRoleUser'] == {'AssumedRoleId': f'{role["RoleId"]}:session-1',
                                         'Arn': f'arn:aws:sts::{ACCOUNT}:assumed-role/{name}/session-1'}
    assert answer['Credentials']['AccessKeyId'].startswith('ASIA')
    assert 3500 < answer['Credentials']['Expiration'].timestamp() - time.time() <= 3601
    identity = session_client(server, answer, 'sts').get_caller_identity()
    assert identity['Arn'] == answer['AssumedRoleUser']['Arn'] and identity['UserId'] == answer['AssumedRoleUser']['AssumedRoleId']
    session = session_client(server, answer, 'iam')
    session.list_users()
    with failure('AccessDenied', f'User: {identity["Arn"]} is not authorized to perform: iam:ListRoles on resource: '
                 f'arn:aws:iam::{ACCOUNT}:role/ because no identity-based policy allows the iam:ListRoles action', 403):
        session.list_roles()
    with failure('AccessDenied', 'Roles may not be assumed by root accounts.', 403):
        assume(client('sts'), role['Arn'])
    # The role made again under its name is another one: old sessions have no permissions.
    iam.delete_role_policy(RoleName=name, PolicyName='p')
    iam.delete_role(RoleName=name)
    iam.create_role(RoleName=name, Path='/app/', AssumeRolePolicyDocument=trust(user.arn))
    iam.put_role_policy(RoleName=name, PolicyName='p', PolicyDocument=policy('iam:*'))
    with failure('AccessDenied'):
        session.list_users()


def test_a_user_made_again_is_not_trusted(server, iam, unique):
    name = unique('user')
    old = iam.create_user(UserName=name)['User']
    role = unique('role')
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(old['Arn']))['Role']['Arn']
    iam.delete_user(UserName=name)
    document = iam.get_role(RoleName=role)['Role']['AssumeRolePolicyDocument']
    assert document['Statement'][0]['Principal'] == {'AWS': old['UserId']}
    assert iam.create_user(UserName=name)['User']['UserId'] != old['UserId']
    key = iam.create_access_key(UserName=name)['AccessKey']
    with failure('AccessDenied'):
        assume(server.client('sts', key['AccessKeyId'], key['SecretAccessKey']), arn)
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust(old['Arn']))
    assume(server.client('sts', key['AccessKeyId'], key['SecretAccessKey']), arn)


def test_trust_of_the_account_needs_an_allow(iam, user, unique):
    role = iam.create_role(RoleName=unique('role'), AssumeRolePolicyDocument=trust(f'arn:aws:iam::{ACCOUNT}:root'))['Role']['Arn']
    with failure('AccessDenied', f'User: {user.arn} is not authorized to perform: sts:AssumeRole on resource: {role} because no '
                 'identity-based policy allows the sts:AssumeRole action', 403):
        assume(user.client('sts'), role)
    user.allow('sts:AssumeRole', resource=role)
    assume(user.client('sts'), role)
    other = iam.create_role(RoleName=unique('role'), AssumeRolePolicyDocument=LAMBDA_TRUST)['Role']['Arn']
    user.allow('sts:AssumeRole')
    for arn in (other, f'arn:aws:iam::{ACCOUNT}:role/never-made'):
        with failure('AccessDenied', f'User: {user.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}', 403):
            assume(user.client('sts'), arn)


def test_session_policy_and_duration(server, iam, user, unique):
    name = unique('role')
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(user.arn))['Role']['Arn']
    iam.put_role_policy(RoleName=name, PolicyName='p', PolicyDocument=policy(['iam:List*', 'sts:AssumeRole']))
    sts = user.client('sts')
    answer = assume(sts, role, Policy=policy('iam:ListUsers'), DurationSeconds=900)
    session = session_client(server, answer, 'iam')
    session.list_users()
    with failure('AccessDenied', f'User: {answer["AssumedRoleUser"]["Arn"]} is not authorized to perform: iam:ListRoles on resource: '
                 f'arn:aws:iam::{ACCOUNT}:role/ because no session policy allows the iam:ListRoles action'):
        session.list_roles()
    with failure('ValidationError', 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.', 400):
        assume(sts, role, DurationSeconds=7200)
    with failure('MalformedPolicyDocument'):
        assume(sts, role, Policy='{}')
    with failure('NotImplemented', status=501):
        assume(sts, role, Tags=[{'Key': 'a', 'Value': 'b'}])


def test_external_id(iam, user, unique):
    document = json.loads(trust(user.arn))
    document['Statement'][0]['Condition'] = {'StringEquals': {'sts:ExternalId': 'secret-handshake'}}
    role = iam.create_role(RoleName=unique('role'), AssumeRolePolicyDocument=json.dumps(document))['Role']['Arn']
    with failure('AccessDenied'):
        assume(user.client('sts'), role)
    assume(user.client('sts'), role, ExternalId='secret-handshake')


def test_tokens(server, user, iam, unique):
    role = iam.create_role(RoleName=unique('role'), AssumeRolePolicyDocument=trust(user.arn))['Role']['Arn']
    c = assume(user.client('sts'), role)['Credentials']
    bad = c['SessionToken'][:-8] + ('A' if c['SessionToken'][-8] != 'A' else 'B') + c['SessionToken'][-7:]
    for token in (None, bad, 'garbage'):
        with failure('InvalidClientTokenId', 'The security token included in the request is invalid.', 403):
            server.client('sts', c['AccessKeyId'], c['SecretAccessKey'], token).get_caller_identity()
    with failure('SignatureDoesNotMatch', status=403):
        server.client('sts', c['AccessKeyId'], 'x' * 40, c['SessionToken']).get_caller_identity()


def test_cli(server, unique):
    name = unique('cli')
    made = json.loads(server.cli('iam', 'create-role', '--role-name', name, '--assume-role-policy-document', LAMBDA_TRUST).stdout)
    assert made['Role']['AssumeRolePolicyDocument']['Version'] == '2012-10-17'
    server.cli('iam', 'attach-role-policy', '--role-name', name, '--policy-arn', 'arn:aws:iam::aws:policy/AdministratorAccess')
    again = server.cli('iam', 'create-role', '--role-name', name, '--assume-role-policy-document', LAMBDA_TRUST, check=False)
    assert f'(EntityAlreadyExists) when calling the CreateRole operation: Role with name {name} already exists.' in again.stderr


def test_restart_keeps_everything(unique):
    server = harness.Server().start()
    try:
        iam = server.client('iam')
        iam.create_user(UserName='kept')
        key = iam.create_access_key(UserName='kept')['AccessKey']
        iam.put_user_policy(UserName='kept', PolicyName='p', PolicyDocument=policy('iam:GetUser'))
        arn = iam.get_user(UserName='kept')['User']['Arn']
        iam.create_role(RoleName='r', AssumeRolePolicyDocument=trust(arn))
        user = server.client('sts', key['AccessKeyId'], key['SecretAccessKey'])
        session = assume(user, f'arn:aws:iam::{ACCOUNT}:role/r')
        root = server.access_key
        server.kill()
        server.start()
        assert server.access_key == root
        assert server.client('iam', key['AccessKeyId'], key['SecretAccessKey']).get_user()['User']['UserName'] == 'kept'
        assert session_client(server, session, 'sts').get_caller_identity()['Arn'].endswith('assumed-role/r/session-1')
        server.stop()
    finally:
        if server.process:
            server.kill()
        server.remove()
