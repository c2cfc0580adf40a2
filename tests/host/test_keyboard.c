/* SPDX-License-Identifier: MIT */
/* Tests of kernel/console/scancode.c (PS/2 codes to keys) and key_stream.c (terminal bytes to keys). */
#include "cmocka_all.h"

#include <kernel/console/key_stream.h>
#include <kernel/console/scancode.h>
#include <string.h>

#define N_KEYS_MAX 64

/* The keys that a sequence of codes gives, with those that give none left out. */
struct typed {
    int keys[N_KEYS_MAX];
    size_t n;
};

static void typed_add(struct typed *typed, int key)
{
    if (key != KEY_NONE && typed->n < N_KEYS_MAX)
        typed->keys[typed->n++] = key;
}

static struct typed press(struct scancode_decoder *decoder, const char *codes, size_t n)
{
    struct typed typed = {.n = 0};

    for (size_t i = 0; i < n; i++)
        typed_add(&typed, scancode_push(decoder, (u8)codes[i]));
    return typed;
}

static struct typed send(struct key_stream *stream, const char *bytes, size_t n)
{
    struct typed typed = {.n = 0};

    for (size_t i = 0; i < n; i++)
        typed_add(&typed, key_stream_push(stream, (u8)bytes[i]));
    return typed;
}

static void assert_keys(struct typed typed, const int *keys, size_t n)
{
    assert_int_equal(typed.n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(typed.keys[i], keys[i]);
}

#define KEYS(...) (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int)
#define PRESS(codes) press(&decoder, codes, sizeof(codes) - 1)
#define SEND(bytes) send(&stream, bytes, sizeof(bytes) - 1)

static void letters_follow_shift_and_caps_lock(void **state)
{
    struct scancode_decoder decoder;

    (void)state;
    scancode_start(&decoder);
    assert_keys(PRESS("\x1e\x9e"), KEYS('a'));
    assert_keys(PRESS("\x2a\x1e\x9e\xaa\x1e"), KEYS('A', 'a'));
    assert_keys(PRESS("\x36\x03\xb6\x03"), KEYS('@', '2'));
    assert_keys(PRESS("\x3a\xba\x1e\x02\x2a\x1e\x02\xaa"), KEYS('A', '1', 'a', '!'));
    assert_keys(PRESS("\x3a\xba\x1e"), KEYS('a'));
}

static void every_printable_character_can_be_typed(void **state)
{
    struct scancode_decoder decoder;
    bool seen[128] = {false};

    (void)state;
    scancode_start(&decoder);
    for (int shift = 0; shift < 2; shift++) {
        scancode_push(&decoder, shift ? 0x2a : 0xaa);
        for (u8 code = 0; code < 0x80; code++) {
            int key = code == 0x2a || code == 0x36 || code == 0x1d ? KEY_NONE : scancode_push(&decoder, code);
            scancode_push(&decoder, code | 0x80);
            if (shift)
                scancode_push(&decoder, 0x2a);
            if (key >= 0 && key < 128)
                seen[key] = true;
        }
        scancode_start(&decoder);
    }
    for (int key = 0x20; key < 0x7f; key++)
        assert_true(seen[key]);
    assert_true(seen['\b'] && seen['\t'] && seen['\r'] && seen[27]);
}

static void ctrl_makes_control_characters(void **state)
{
    struct scancode_decoder decoder;

    (void)state;
    scancode_start(&decoder);
    assert_keys(PRESS("\x1d\x2e\xae\x9d"), KEYS(3));
    assert_keys(PRESS("\xe0\x1d\x26\xe0\x9d\x26"), KEYS(KEY_CTRL('L'), 'l'));
    assert_keys(PRESS("\x1d\x1a\x2b\x39\x02\x9d"), KEYS(27, 28, 0));
    assert_keys(PRESS("\x1d\x2a\x2e\xaa\x9d"), KEYS(3));
}

static void extended_keys_are_keys_of_their_own(void **state)
{
    struct scancode_decoder decoder;

    (void)state;
    scancode_start(&decoder);
    assert_keys(PRESS("\xe0\x48\xe0\xc8\xe0\x50\xe0\x4b\xe0\x4d"),
                KEYS(KEY_UP, KEY_DOWN, KEY_LEFT, KEY_RIGHT));
    assert_keys(PRESS("\xe0\x47\xe0\x4f\xe0\x53\xe0\x52"), KEYS(KEY_HOME, KEY_END, KEY_DELETE, KEY_INSERT));
    assert_keys(PRESS("\xe0\x49\xe0\x51\xe0\x1c\xe0\x35"), KEYS(KEY_PGUP, KEY_PGDN, '\r', '/'));
    assert_keys(PRESS("\xe0\x2a\xe0\x48\xe0\xc8\xe0\xaa\x1e"), KEYS(KEY_UP, 'a'));
    assert_keys(PRESS("\xe0\x5b\xe0\xdb\xe0\x5d"), (const int *)NULL, 0);
}

static void keypad_follows_num_lock(void **state)
{
    struct scancode_decoder decoder;

    (void)state;
    scancode_start(&decoder);
    assert_keys(PRESS("\x47\x4c\x53\x37\x4a\x4e"), KEYS('7', '5', '.', '*', '-', '+'));
    assert_keys(PRESS("\x45\x45\xc5\x47\x4c\x53\x4a"), KEYS(KEY_HOME, KEY_DELETE, '-'));
    assert_keys(PRESS("\x2a\x47\xaa"), KEYS('7'));
}

static void pause_and_answers_are_no_keys(void **state)
{
    struct scancode_decoder decoder;

    (void)state;
    scancode_start(&decoder);
    assert_keys(PRESS("\xe1\x1d\x45\xe1\x9d\xc5\x1e"), KEYS('a'));
    assert_keys(PRESS("\xfa\xfe\xaa\xff\x1e"), KEYS('a'));
    assert_keys(PRESS("\x3b\x57\x58\x46\x1e"), KEYS('a'));
    assert_true(decoder.num_lock);
}

static void any_scan_codes_do_no_harm(void **state)
{
    struct scancode_decoder decoder;
    u64 seed = 0x7e55e7a;

    (void)state;
    scancode_start(&decoder);
    for (int i = 0; i < 200000; i++) {
        int key = scancode_push(&decoder, (u8)random_next(&seed));
        assert_true(key >= KEY_NONE && key <= KEY_PGDN);
    }
}

static void cr_lf_and_both_are_one_enter_each(void **state)
{
    struct key_stream stream = {0};

    (void)state;
    assert_keys(SEND("a\rb\nc\r\nd"), KEYS('a', '\r', 'b', '\r', 'c', '\r', 'd'));
    assert_keys(SEND("\r\r\n\n"), KEYS('\r', '\r', '\r'));
}

static void cursor_keys_come_as_csi_and_ss3(void **state)
{
    struct key_stream stream = {0};

    (void)state;
    assert_keys(SEND("\033[A\033[B\033[C\033[D"), KEYS(KEY_UP, KEY_DOWN, KEY_RIGHT, KEY_LEFT));
    assert_keys(SEND("\033OA\033OH\033OF\033OM"), KEYS(KEY_UP, KEY_HOME, KEY_END, '\r'));
    assert_keys(SEND("\033[H\033[F\033[1~\033[4~\033[3~"),
                KEYS(KEY_HOME, KEY_END, KEY_HOME, KEY_END, KEY_DELETE));
    assert_keys(SEND("\033[5~\033[6~\033[2~\033[7~\033[8~"),
                KEYS(KEY_PGUP, KEY_PGDN, KEY_INSERT, KEY_HOME, KEY_END));
    assert_keys(SEND("\033[1;5C\033[3;2~"), KEYS(KEY_RIGHT, KEY_DELETE));
}

static void unknown_sequences_vanish_whole(void **state)
{
    struct key_stream stream = {0};

    (void)state;
    assert_keys(SEND("\033[15~\033[?1;2c\033[200~x\033[201~\033[[A\033OPy"), KEYS('x', 'y'));
    assert_keys(SEND("\033[99999999999~z"), KEYS('z'));
}

static void control_characters_end_a_sequence(void **state)
{
    struct key_stream stream = {0};

    (void)state;
    assert_keys(SEND("\033[1\003a"), KEYS(3, 'a'));
    assert_keys(SEND("\033\rb"), KEYS('\r', 'b'));
    assert_keys(SEND("\033\033[A"), KEYS(KEY_UP));
    assert_keys(SEND("\033x"), KEYS('x'));
}

static void lone_escape_is_a_key_after_a_while(void **state)
{
    struct key_stream stream = {0};

    (void)state;
    assert_int_equal(key_stream_idle(&stream), KEY_NONE);
    assert_keys(SEND("\033"), (const int *)NULL, 0);
    assert_int_equal(key_stream_idle(&stream), KEY_ESCAPE);
    assert_keys(SEND("[A"), KEYS('[', 'A'));
}

static void runaway_sequences_are_given_up(void **state)
{
    struct key_stream stream = {0};
    unsigned n = 0;

    (void)state;
    send(&stream, "\033[", 2);
    while (key_stream_push(&stream, '1') == KEY_NONE)
        assert_true(++n < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_follow_shift_and_caps_lock),
        cmocka_unit_test(every_printable_character_can_be_typed),
        cmocka_unit_test(ctrl_makes_control_characters),
        cmocka_unit_test(extended_keys_are_keys_of_their_own),
        cmocka_unit_test(keypad_follows_num_lock),
        cmocka_unit_test(pause_and_answers_are_no_keys),
        cmocka_unit_test(any_scan_codes_do_no_harm),
        cmocka_unit_test(cr_lf_and_both_are_one_enter_each),
        cmocka_unit_test(cursor_keys_come_as_csi_and_ss3),
        cmocka_unit_test(unknown_sequences_vanish_whole),
        cmocka_unit_test(control_characters_end_a_sequence),
        cmocka_unit_test(lone_escape_is_a_key_after_a_while),
        cmocka_unit_test(runaway_sequences_are_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
