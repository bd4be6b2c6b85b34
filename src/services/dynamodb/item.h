/* item.h -- how items and keys lie in the store. Both formats are on disk and may never change; a new one gets a new
 * version byte. Numbers of more than one byte are varints (7 bits a byte, least first, high bit: more) or u32 big-endian.
 *
 *   item      version 0x01 · size (varint, as AWS counts it) · attribute count (varint) · attribute …
 *   attribute name length (varint) · name · value
 *   value     type byte (enum value_type) · payload
 *   payload   S, B: length (varint) · bytes          N: number            BOOL: 0x00 or 0x01          NULL: nothing
 *             M: body length (u32) · count (varint) · attribute …         L: body length (u32) · count (varint) · value …
 *             SS, BS: body length (u32) · count · (length · bytes) …      NS: body length (u32) · count · number …
 *   number    0x00 … 0x18: so many bytes of plain digits follow ("-12.5"), as DynamoDB writes them;
 *             0x80 + n: n bytes of decimal_encode, for numbers whose plain form is longer
 *
 *   collection  type byte of the partition key · its bytes (S, B as they are; N: decimal_encode)
 *   key         'i' · type byte of the sort key · its bytes; just 'i' where the table has no sort key
 *               S and B end with the key, so they need no escape; N is prefix-free: memcmp order is DynamoDB's order. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_ITEM_H
#define CLOUDLESS_SERVICES_DYNAMODB_ITEM_H
#include "services/dynamodb/value.h"

#define ITEM_VERSION 1
#define ITEM_JSON_MAX (64u << 20)       /* text of one item: 400 KB of numbers like 1E125 are 26 MB of digits */

struct str item_encode(const struct value *item, struct arena *arena);
/* NULL: the bytes are damaged, or of a later version. Strings of the item point into `bytes`. */
struct value *item_decode(struct str bytes, struct arena *arena);
/* Straight from bytes to {"id":{"S":"1"},…}. False: damaged. */
bool item_bytes_write_json(struct buf *buf, struct str bytes);
/* The size that AWS counts. False: damaged. */
bool item_bytes_size(struct str bytes, size_t *ret);

struct str key_collection(const struct value *hash, struct arena *arena);
struct str key_item(const struct value *range, struct arena *arena);        /* NULL: no sort key */
/* The part of key_item up to the sort key's own bytes, and those bytes: for ranges. */
struct str key_range_prefix(enum value_type type, struct arena *arena);
#endif
