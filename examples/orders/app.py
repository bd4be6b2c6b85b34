"""Purchase orders with FastAPI and Mangum: create, read, list, replace, delete; nested lines, exact decimal prices.

GET, POST /orders         list (limit, next), create
GET, PUT, DELETE /orders/{order_number}
GET /openapi.json, /docs  the API's description, and a page that shows it and needs nothing from outside
Prices and totals are decimals of up to 38 digits: strings in the API, numbers in the table, never floats. app.c is the
same in C.
"""
import functools
import json
import logging
import os
import pathlib
import re
import sys
from decimal import Context, Decimal, Inexact, Overflow, Rounded, Subnormal
from typing import Annotated, Optional
from urllib.parse import parse_qsl, quote, unquote, urlencode

import boto3
from boto3.dynamodb.types import DYNAMODB_CONTEXT
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from mangum import Mangum
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException as RoutingError

HERE = pathlib.Path(__file__).parent
PAGE = 100                  # orders of a list, at most and unless the request asks for fewer
BODY_BYTES = 1_000_000
NAME_SHOWN = 64             # bytes of a name that the client made up
KEY_BYTES = 2048            # DynamoDB's bound: no order has a longer number
MISSING = 'There is no such order.'
DESCRIPTION, PAGE_OF_DOCS = (HERE / 'openapi.json').read_bytes(), (HERE / 'docs.html').read_bytes()


def setting(name):
    """An environment variable; a function without it ends, with one line that names it."""
    return os.environ.get(name) or sys.exit(f'environment variable {name} is missing')


# Three tries of two seconds and the pauses between them fit into the function's ten.
QUICK = Config(connect_timeout=1, read_timeout=2, retries={'mode': 'standard', 'total_max_attempts': 3})
table = boto3.resource('dynamodb', config=QUICK).Table(setting('TABLE_NAME'))
conditional = table.meta.client.exceptions.ConditionalCheckFailedException
log = logging.getLogger()
log.setLevel(getattr(logging, os.environ.get('LOG_LEVEL', ''), logging.INFO))
app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)

# What DynamoDB holds as a number; boto3's own bounds are narrower, and it does not take 1 with sixty zeros for 1E+60.
AMOUNTS = Context(prec=38, Emin=-130, Emax=125, traps=[Inexact, Overflow, Subnormal])
DYNAMODB_CONTEXT.Emin, DYNAMODB_CONTEXT.traps[Rounded] = AMOUNTS.Emin, False


# ---- bodies: JSON whose numbers keep their text ----

class Number:
    __slots__ = ('text',)

    def __init__(self, text):
        self.text = text


def no_constant(name):
    raise HTTPException(400, f'body: no valid JSON: {name}')


# An escape of a string: a pair of surrogates, or (group 1) one alone, or any other.
ESCAPES = re.compile(r'\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]|(u[dD][89a-fA-F])|.)', re.ASCII)


def parse(body):
    """Wrong JSON: 400 that names the byte."""
    if not body or len(body) > BODY_BYTES:
        raise HTTPException(400, 'body: ' + (f'expected at most {BODY_BYTES} bytes' if body else 'expected a JSON object'))
    where = None
    try:
        text = body.decode()
        parsed = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=no_constant)
        where = next((len(text[:escape.start()].encode()) for escape in ESCAPES.finditer(text) if escape[1]), None)
    except UnicodeDecodeError as wrong:
        where = wrong.start
    except json.JSONDecodeError as wrong:
        where = len(text[:wrong.pos].encode())
    except RecursionError:
        raise HTTPException(400, 'body: nested too deep') from None
    if where is not None:
        raise HTTPException(400, f'body: no valid JSON at byte {where}')
    return parsed


NUMBER = re.compile(r'-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?')      # of JSON


def decimal_of(text):
    if not isinstance(text, str) or not NUMBER.fullmatch(text):
        raise ValueError('no number')
    try:
        return AMOUNTS.plus(AMOUNTS.normalize(AMOUNTS.create_decimal(text)))        # plus: no -0
    except ArithmeticError:
        raise ValueError('no number that DynamoDB can hold') from None


def amount(value):
    """A JSON number, or a string that is one."""
    return decimal_of(value.text if isinstance(value, Number) else value)


def integer(value):
    """By value: 1.0 and 1e2 are."""
    number = decimal_of(value.text) if isinstance(value, Number) else None
    if number is None or number != number.to_integral_value():
        raise ValueError('no integer')
    return int(number)


Text = Annotated[str, Field(min_length=1, max_length=64, strict=True)]
Amount = Annotated[Decimal, BeforeValidator(amount)]


class Model(BaseModel):
    model_config = ConfigDict(extra='forbid')


class Line(Model):
    item_number: Text
    qty: Annotated[int, BeforeValidator(integer), Field(ge=1, le=1_000_000)]
    price: Amount


class OrderFields(Model):
    customer_id: Text
    items: Annotated[list[Line], Field(min_length=1, max_length=500)]
    total: Amount
    payment_id: Optional[Annotated[str, Field(max_length=64, strict=True)]] = None


class Numbered(Model):
    order_number: Text


class Order(OrderFields, Numbered):
    """Both, the number first."""


# member or parameter -> what it has to be
EXPECTED = {
    'order_number': 'a string of 1 to 64 characters', 'customer_id': 'a string of 1 to 64 characters', 'item_number': 'a string of 1 to 64 characters',
    'payment_id': 'a string of 0 to 64 characters', 'items': 'a list of 1 to 500 elements', 'qty': 'an integer from 1 to 1000000',
    'price': 'a decimal number of at most 38 digits', 'total': 'a decimal number of at most 38 digits',
    'limit': f'an integer from 1 to {PAGE}', 'next': f'at most {KEY_BYTES} bytes',
}


def shown(part):
    """A place in the body; of a name that the client made up the first bytes, without control characters."""
    cut = str(part).encode(errors='replace')[:NAME_SHOWN].decode(errors='ignore')
    return re.sub(r'[\x00-\x1f\x7f]', lambda found: f'\\u{ord(found[0]):04x}', cut)


def sentence(error):
    """What pydantic found, as app.c says it: "items.0.qty: expected an integer from 1 to 1000000"."""
    path = error['loc']
    if not path:
        return 'body: expected a JSON object'
    if error['type'] == 'extra_forbidden':
        why = 'unknown member'
    elif error['type'] == 'missing' or error['input'] is None and isinstance(path[-1], str):
        why = 'required'
    else:
        why = 'expected ' + EXPECTED.get(path[-1], 'an object')
    return '.'.join(map(shown, path)) + ': ' + why


def body_of(model):
    """A parameter of a route: the body, whatever its content type says, as that model."""
    async def read(request: Request):
        try:
            return model.model_validate(parse(await request.body()))
        except ValidationError as wrong:
            raise HTTPException(400, sentence(wrong.errors(include_url=False)[0])) from None
    return Depends(read)


# ---- the table ----

def call(method, **parameters):
    """A method of the table. DynamoDB failing is a line in the log that names the call, and a 500."""
    try:
        return getattr(table, method)(**parameters)
    except conditional:
        raise
    except (ClientError, BotoCoreError) as failed:
        log.error('%s on %s: %s', table.meta.client.meta.method_to_api_mapping[method], table.name, failed)
        raise HTTPException(500, 'Internal server error') from None


def order_of(item):
    """An item of the table as the API shows it: amounts as strings, digit by digit."""
    lines = [{**line, 'qty': int(line['qty']), 'price': format(line['price'], 'f')} for line in item['items']]
    return {**item, 'items': lines, 'total': format(item['total'], 'f')}


def write(order_number, fields, condition, otherwise, why):
    """UpdateItem, because it returns what the table then holds: amounts in DynamoDB's own form, as later reads have it."""
    members = fields.model_dump(exclude={'order_number'})
    given = {name: value for name, value in members.items() if value not in (None, '')}
    update = 'SET ' + ', '.join(f'#{name} = :{name}' for name in given) + ''.join(f' REMOVE #{name}' for name in members.keys() - given)
    try:
        written = call('update_item', Key={'order_number': order_number}, ConditionExpression=condition, UpdateExpression=update,
                       ReturnValues='ALL_NEW', ExpressionAttributeNames={f'#{name}': name for name in members},
                       ExpressionAttributeValues={f':{name}': value for name, value in given.items()})
    except conditional:
        raise HTTPException(otherwise, why) from None
    return order_of(written['Attributes'])


# ---- parameters ----

def page_size(text):
    if not re.fullmatch('[0-9]+', str(text), re.ASCII):
        raise ValueError('no integer')
    return int(text)


def fit_for_a_key(text):
    if len(text.encode()) > KEY_BYTES:
        raise ValueError('too long')
    return text


async def number_of(order_number: str):
    """Of the path, where it is percent-encoded (`split` below)."""
    try:
        return fit_for_a_key(unquote(order_number))
    except ValueError:
        raise HTTPException(404, MISSING) from None


Limit = Annotated[int, BeforeValidator(page_size), Field(ge=1, le=PAGE)]
Next = Annotated[str, AfterValidator(fit_for_a_key)]
OrderNumber = Annotated[str, Depends(number_of)]


# ---- the routes ----

get = functools.partial(app.api_route, methods=['GET', 'HEAD'])


@get('/orders')
def list_orders(limit: Limit = PAGE, next: Next = ''):
    start = {'ExclusiveStartKey': {'order_number': next}} if next else {}
    page = call('scan', Limit=limit, **start)
    following = {'next': page['LastEvaluatedKey']['order_number']} if 'LastEvaluatedKey' in page else {}
    return {'orders': [order_of(item) for item in page['Items']], **following}


@app.post('/orders', status_code=201)
def create(order: Annotated[Order, body_of(Order)]):
    return write(order.order_number, order, 'attribute_not_exists(order_number)', 409, 'There is an order of this number.')


@get('/orders/{order_number}')
def read(number: OrderNumber):
    item = call('get_item', Key={'order_number': number}, ConsistentRead=True).get('Item')
    if not item:
        raise HTTPException(404, MISSING)
    return order_of(item)


@app.put('/orders/{order_number}')
def replace(number: OrderNumber, fields: Annotated[OrderFields, body_of(OrderFields)]):
    return write(number, fields, 'attribute_exists(order_number)', 404, MISSING)


@app.delete('/orders/{order_number}', status_code=204)
def delete(number: OrderNumber):
    if 'Attributes' not in call('delete_item', Key={'order_number': number}, ReturnValues='ALL_OLD'):
        raise HTTPException(404, MISSING)
    return Response(status_code=204)


@get('/openapi.json')
def openapi():
    return Response(DESCRIPTION, media_type='application/json')


@get('/docs')
def docs():
    return Response(PAGE_OF_DOCS, media_type='text/html; charset=utf-8')


@app.exception_handler(HTTPException)
async def refused(request: Request, error: HTTPException):
    return JSONResponse({'error': error.detail}, error.status_code)


@app.exception_handler(RequestValidationError)
async def wrong_parameter(request: Request, error: RequestValidationError):
    first = error.errors()[0]
    return JSONResponse({'error': sentence({**first, 'loc': first['loc'][1:]})}, 400)


@app.exception_handler(RoutingError)
async def no_route(request: Request, error: RoutingError):
    methods = [method for route in app.routes if route.path_regex.match(request.scope['path']) for method in route.methods if method != 'HEAD']
    if not methods:
        return JSONResponse({'error': 'no such path'}, 404)
    return JSONResponse({'error': 'method not allowed'}, 405, {'Allow': ', '.join(methods)})


async def split(scope, receive, send):
    """Requests of a REST API as app.c reads them: a slash within a segment is no separator (%2F), one at the end of the path
    does not count; of parameters with one name the first does."""
    segments = scope['aws.event']['path'].removesuffix('/').split('/')
    query = dict(reversed(parse_qsl(scope['query_string'].decode(), keep_blank_values=True)))
    path = '/'.join(quote(unquote(segment), safe='') for segment in segments)
    await app({**scope, 'path': path, 'query_string': urlencode(query).encode()}, receive, send)


handler = Mangum(split, lifespan='off')
