"""Purchase orders with FastAPI and Mangum: create, read, list, replace, delete; nested lines, exact decimal prices.

GET, POST /orders         list (limit, next), create
GET, PUT, DELETE /orders/{order_number}
GET /openapi.json, /docs  the API's description, and a page that shows it and needs nothing from outside
Prices and totals are decimals of up to 38 digits: strings in the API, numbers in the table, never floats. app.c is the
same in C.
"""
import os
import pathlib
from decimal import Context, Decimal
from typing import Annotated, Optional

import boto3
from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from mangum import Mangum
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

HERE = pathlib.Path(__file__).parent
PAGE = 100                  # orders of a list, at most and unless the request asks for fewer

table = boto3.resource('dynamodb').Table(os.environ['TABLE_NAME'])
conditional = table.meta.client.exceptions.ConditionalCheckFailedException
app = FastAPI(title='Purchase orders', docs_url=None, redoc_url=None, openapi_url=None)


def plain(number):
    """Without exponent and trailing zeros, as the table keeps it."""
    return format(number.normalize(Context(prec=38)), 'f')


def not_boolean(value):
    if isinstance(value, bool):
        raise ValueError('a decimal number')
    return value


Text = Annotated[str, Field(min_length=1, max_length=64, strict=True)]
Amount = Annotated[Decimal, BeforeValidator(not_boolean), Field(max_digits=38, allow_inf_nan=False), PlainSerializer(plain, return_type=str)]


class Model(BaseModel):
    model_config = ConfigDict(extra='forbid')


class Line(Model):
    item_number: Text
    qty: Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
    price: Amount


class OrderFields(Model):
    customer_id: Text
    items: Annotated[list[Line], Field(min_length=1, max_length=500)]
    total: Amount
    payment_id: Optional[Annotated[str, Field(max_length=64, strict=True)]] = None


class Order(OrderFields):
    order_number: Text


def item_of(order):
    item = {name: value for name, value in order.model_dump().items() if value not in (None, '')}
    item['items'] = [{**line, 'price': Decimal(line['price'])} for line in item['items']]
    return {**item, 'total': Decimal(item['total'])}


def write(order, condition, otherwise, why):
    try:
        table.put_item(Item=item_of(order), ConditionExpression=condition)
    except conditional:
        raise HTTPException(otherwise, why) from None
    return order.model_dump(exclude_none=True)


@app.get('/orders')
def list_orders(limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE, next: Optional[str] = None):
    start = {'ExclusiveStartKey': {'order_number': next}} if next else {}
    page = table.scan(Limit=limit, **start)
    following = {'next': page['LastEvaluatedKey']['order_number']} if 'LastEvaluatedKey' in page else {}
    return {'orders': [Order(**item).model_dump(exclude_none=True) for item in map(readable, page['Items'])], **following}


def readable(item):
    """The table's numbers as the model wants them: quantities are integers."""
    return {**item, 'items': [{**line, 'qty': int(line['qty'])} for line in item['items']]}


@app.post('/orders', status_code=201)
def create(order: Order):
    return write(order, 'attribute_not_exists(order_number)', 409, 'There is an order of this number.')


@app.get('/orders/{order_number}')
def read(order_number: str):
    item = table.get_item(Key={'order_number': order_number}, ConsistentRead=True).get('Item')
    if not item:
        raise HTTPException(404, 'There is no such order.')
    return Order(**readable(item)).model_dump(exclude_none=True)


@app.put('/orders/{order_number}')
def replace(order_number: str, fields: OrderFields):
    order = Order(order_number=order_number, **fields.model_dump())
    return write(order, 'attribute_exists(order_number)', 404, 'There is no such order.')


@app.delete('/orders/{order_number}', status_code=204)
def delete(order_number: str):
    if 'Attributes' not in table.delete_item(Key={'order_number': order_number}, ReturnValues='ALL_OLD'):
        raise HTTPException(404, 'There is no such order.')
    return Response(status_code=204)


@app.get('/openapi.json')
def openapi():
    return FileResponse(HERE / 'openapi.json', media_type='application/json')


@app.get('/docs')
def docs():
    return FileResponse(HERE / 'docs.html', media_type='text/html; charset=utf-8')


@app.exception_handler(HTTPException)
def refused(request: Request, error: HTTPException):
    return JSONResponse({'error': error.detail}, error.status_code)


@app.exception_handler(RequestValidationError)
def invalid(request: Request, error: RequestValidationError):
    first = error.errors()[0]
    path = '.'.join(str(part) for part in first['loc'][1:]) or 'body'
    return JSONResponse({'error': f'{path}: {first["msg"]}'}, 400)


handler = Mangum(app, lifespan='off')
