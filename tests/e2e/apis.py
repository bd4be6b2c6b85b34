"""Makes REST APIs the way the console does: resources, Lambda integrations with their permission, CORS preflight, deployment."""
import json

from harness import ACCOUNT, REGION, http


class Resources:
    """A REST API that was just made, with its resources by path."""

    def __init__(self, client, **more):
        self.client = client
        made = client.create_rest_api(**more)
        self.id, self.resources = made['id'], {'/': made['rootResourceId']}

    def resource(self, path):
        """The resource of a path, with all its parents."""
        if path not in self.resources:
            parent, _, part = path.rpartition('/')
            self.resources[path] = self.client.create_resource(restApiId=self.id, parentId=self.resource(parent or '/'), pathPart=part)['id']
        return self.resources[path]

    def at(self, path, method):
        return {'restApiId': self.id, 'resourceId': self.resource(path), 'httpMethod': method}

    def method(self, path, method):
        self.client.put_method(**self.at(path, method), authorizationType='NONE')


class Api(Resources):
    def __init__(self, server, name):
        super().__init__(server.client('apigateway'), name=name, endpointConfiguration={'types': ['REGIONAL']})
        self.server = server

    def function(self, path, method, function, proxy=True, permission=True):
        """A method integrated with a function; without proxy with an empty 200 answer, as the console makes it."""
        at = self.at(path, method)
        self.method(path, method)
        arn = f'arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}'
        self.client.put_integration(**at, type='AWS_PROXY' if proxy else 'AWS', integrationHttpMethod='POST',
                                    uri=f'arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations')
        if not proxy:
            self.client.put_method_response(**at, statusCode='200', responseModels={'application/json': 'Empty'})
            self.client.put_integration_response(**at, statusCode='200', responseTemplates={'application/json': ''})
        if permission:
            sid = f'{method}{path}'.replace('/', '-').replace('{', '').replace('}', '')
            self.server.client('lambda').add_permission(
                FunctionName=function, StatementId=f'{self.id}{sid}', Action='lambda:InvokeFunction', Principal='apigateway.amazonaws.com',
                SourceArn=f'arn:aws:execute-api:{REGION}:{ACCOUNT}:{self.id}/*/{method}{self._arn_path(path)}')

    @staticmethod
    def _arn_path(path):
        return '/'.join('*' if part.startswith('{') else part for part in path.split('/'))

    def cors(self, path, methods, headers='Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token'):
        at = self.at(path, 'OPTIONS')
        names = ('Access-Control-Allow-Headers', 'Access-Control-Allow-Methods', 'Access-Control-Allow-Origin')
        values = (f"'{headers}'", f"'{methods}'", "'*'")
        parameters = [f'method.response.header.{n}' for n in names]
        self.method(path, 'OPTIONS')
        self.client.put_integration(**at, type='MOCK', requestTemplates={'application/json': json.dumps({'statusCode': 200})})
        self.client.put_method_response(**at, statusCode='200', responseModels={'application/json': 'Empty'},
                                        responseParameters=dict.fromkeys(parameters, False))
        self.client.put_integration_response(**at, statusCode='200', responseTemplates={'application/json': ''},
                                             responseParameters=dict(zip(parameters, values)))

    def deploy(self, stage):
        self.client.create_deployment(restApiId=self.id, stageName=stage)
        return self.url(stage)

    def url(self, stage):
        return f'{self.server.url}/restapis/{self.id}/{stage}/_user_request_'

    def call(self, method, stage, path, body=None, headers=None):
        return http(method, self.url(stage) + path, body, headers)
