/* SPDX-License-Identifier: MIT */
/* A JSON writer: all it remembers is which of the open values want a comma before their next member. */
#include <kernel/shell/json.h>

#include <lib/printf.h>
#include <lib/string.h>

void json_start(struct json *json, void (*put)(void *context, const char *text, size_t n), void *context)
{
    *json = (struct json){.put = put, .context = context};
}

static void put(struct json *json, const char *text)
{
    json->put(json->context, text, strlen(text));
}

static void put_string(struct json *json, const char *text)
{
    put(json, "\"");
    for (; *text; text++) {
        char piece[8] = {*text, 0};
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            ksnprintf(piece, sizeof piece, "\\%c", c);
        else if (c < ' ' || c > '~')
            ksnprintf(piece, sizeof piece, "\\u%04x", c);
        put(json, piece);
    }
    put(json, "\"");
}

/* The comma, and the key, that stand before a value. */
static void put_key(struct json *json, const char *key)
{
    u64 bit = 1UL << json->depth;
    if (json->has_members & bit)
        put(json, ",");
    json->has_members |= bit;
    if (!key)
        return;
    put_string(json, key);
    put(json, ":");
}

static void open_value(struct json *json, const char *key, const char *bracket)
{
    put_key(json, key);
    put(json, bracket);
    json->depth = (json->depth + 1) & 63;
    json->has_members &= ~(1UL << json->depth);
}

static void close_value(struct json *json, const char *bracket)
{
    put(json, bracket);
    json->depth = (json->depth - 1) & 63;
}

void json_object(struct json *json, const char *key)
{
    open_value(json, key, "{");
}

void json_object_end(struct json *json)
{
    close_value(json, "}");
}

void json_array(struct json *json, const char *key)
{
    open_value(json, key, "[");
}

void json_array_end(struct json *json)
{
    close_value(json, "]");
}

void json_number(struct json *json, const char *key, u64 value)
{
    char digits[24];
    put_key(json, key);
    ksnprintf(digits, sizeof digits, "%lu", value);
    put(json, digits);
}

void json_digits(struct json *json, const char *key, const char *digits)
{
    put_key(json, key);
    put(json, digits);
}

void json_bool(struct json *json, const char *key, bool value)
{
    put_key(json, key);
    put(json, value ? "true" : "false");
}

void json_text(struct json *json, const char *key, const char *value)
{
    put_key(json, key);
    put_string(json, value);
}
