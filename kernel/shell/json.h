/* SPDX-License-Identifier: MIT */
/*
 * JSON on one line, written piece by piece through a sink; nothing is stored.  Pure C: also built and tested
 * on the host.
 *
 * `key` is the name of the value inside an object, and NULL inside an array and at the top.
 */
#ifndef KERNEL_SHELL_JSON_H
#define KERNEL_SHELL_JSON_H

#include <lib/types.h>

struct json {
    void (*put)(void *context, const char *text, size_t n);
    void *context;
    u64 has_members; /* bit d: the open value at depth d has a member already */
    unsigned depth;  /* open objects and arrays, at most 63 */
};

void json_start(struct json *json, void (*put)(void *context, const char *text, size_t n), void *context);

void json_object(struct json *json, const char *key);
void json_object_end(struct json *json);
void json_array(struct json *json, const char *key);
void json_array_end(struct json *json);

void json_number(struct json *json, const char *key, u64 value);
/* A number that is written already: "2.75". */
void json_digits(struct json *json, const char *key, const char *digits);
void json_bool(struct json *json, const char *key, bool value);
/* Any bytes: what JSON forbids in a string is escaped, bytes above 0x7e too (as \u00XX). */
void json_text(struct json *json, const char *key, const char *value);

#endif
