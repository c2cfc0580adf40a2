/* SPDX-License-Identifier: MIT */
/*
 * A code is seven bits of position and one bit that says "released"; E0 in front marks the keys that came
 * with the 101-key keyboard.  Those send made-up shifts around themselves (E0 2A, E0 36), which must not
 * count as shifts. Pause alone is E1 1D 45 E1 9D C5 and has no release.
 */
#include <kernel/console/scancode.h>
#include <lib/string.h>

#define CODE_RELEASED 0x80
#define CODE_EXTENDED 0xe0
#define CODE_PAUSE 0xe1
#define CODE_KEYPAD_FIRST 0x47
#define CODE_KEYPAD_LAST 0x53

/* Codes 0x00..0x39; a 0 is a key without a character. */
static const char keys_plain[] =
    "\0\033" "1234567890-=\b"
    "\tqwertyuiop[]\r"
    "\0asdfghjkl;'`"
    "\0\\zxcvbnm,./\0" "*\0 ";
static const char keys_shifted[] =
    "\0\033" "!@#$%^&*()_+\b"
    "\tQWERTYUIOP{}\r"
    "\0ASDFGHJKL:\"~"
    "\0|ZXCVBNM<>?\0" "*\0 ";
#define N_KEYS (sizeof(keys_plain) - 1)
_Static_assert(sizeof(keys_plain) == 0x3a + 1, "codes 0x00..0x39");
_Static_assert(sizeof(keys_shifted) == sizeof(keys_plain), "codes 0x00..0x39");

#define CODE_102ND 0x56 /* the key between the left Shift and Z of ISO keyboards */

/*
 * Codes 0x47..0x53: what the keypad types with Num Lock, and what it does without (and the grey keys with
 * E0).
 */
static const char keypad_digits[] = "789-456+1230.";
static const short keypad_moves[] = {
    KEY_HOME, KEY_UP, KEY_PGUP, '-', KEY_LEFT, KEY_NONE, KEY_RIGHT, '+', KEY_END, KEY_DOWN, KEY_PGDN,
    KEY_INSERT, KEY_DELETE,
};
_Static_assert(sizeof(keypad_digits) - 1 == CODE_KEYPAD_LAST - CODE_KEYPAD_FIRST + 1, "keypad");
_Static_assert(sizeof(keypad_moves) / sizeof(keypad_moves[0]) == sizeof(keypad_digits) - 1, "keypad");

void scancode_start(struct scancode_decoder *decoder)
{
    memset(decoder, 0, sizeof(*decoder));
    decoder->num_lock = true;
}

/* The modifier or lock key at this position, or 0. */
static u8 modifier_of(u8 position, bool extended)
{
    switch (position) {
    case 0x1d: return extended ? SCANCODE_RIGHT_CTRL : SCANCODE_LEFT_CTRL;
    case 0x38: return extended ? SCANCODE_ALTGR : SCANCODE_ALT;
    case 0x2a: return extended ? 0 : SCANCODE_LEFT_SHIFT;
    case 0x36: return extended ? 0 : SCANCODE_RIGHT_SHIFT;
    case 0x3a: return extended ? 0 : SCANCODE_CAPS_LOCK;
    case 0x45: return extended ? 0 : SCANCODE_NUM_LOCK;
    default: return 0;
    }
}

static int extended_key(u8 position)
{
    if (position == 0x1c)
        return KEY_ENTER;
    if (position == 0x35)
        return '/';
    if (position < CODE_KEYPAD_FIRST || position > CODE_KEYPAD_LAST || position == 0x4a || position == 0x4e)
        return KEY_NONE;
    return keypad_moves[position - CODE_KEYPAD_FIRST];
}

static int keypad_key(const struct scancode_decoder *decoder, u8 position)
{
    bool shifted = decoder->held & (SCANCODE_LEFT_SHIFT | SCANCODE_RIGHT_SHIFT);
    unsigned i = (unsigned)(position - CODE_KEYPAD_FIRST);

    return decoder->num_lock != shifted ? keypad_digits[i] : keypad_moves[i];
}

/* The control character that Ctrl makes of a key, as terminals do. */
static int control_key(char plain, char shifted)
{
    if (plain >= 'a' && plain <= 'z')
        return KEY_CTRL(plain);
    if (plain == ' ' || plain == '2')
        return 0;
    if (plain == '[' || plain == '\\' || plain == ']')
        return KEY_CTRL(plain);
    if (shifted == '^' || shifted == '_')
        return KEY_CTRL(shifted);
    if (plain == '\b' || plain == '\r' || plain == '\t' || plain == '\033')
        return plain;
    return KEY_NONE;
}

static int character_key(const struct scancode_decoder *decoder, u8 position)
{
    bool shift = decoder->held & (SCANCODE_LEFT_SHIFT | SCANCODE_RIGHT_SHIFT);
    char plain = position == CODE_102ND ? '\\' : position < N_KEYS ? keys_plain[position] : '\0';
    char shifted = position == CODE_102ND ? '|' : position < N_KEYS ? keys_shifted[position] : '\0';

    if (plain == '\0')
        return KEY_NONE;
    if (decoder->held & (SCANCODE_LEFT_CTRL | SCANCODE_RIGHT_CTRL))
        return control_key(plain, shifted);
    if (plain >= 'a' && plain <= 'z' && decoder->caps_lock)
        shift = !shift;
    return shift ? shifted : plain;
}

static int pressed_key(const struct scancode_decoder *decoder, u8 position, bool extended)
{
    if (extended)
        return extended_key(position);
    if (position >= CODE_KEYPAD_FIRST && position <= CODE_KEYPAD_LAST)
        return keypad_key(decoder, position);
    return character_key(decoder, position);
}

int scancode_push(struct scancode_decoder *decoder, u8 code)
{
    bool extended = decoder->extended;
    u8 position = code & (u8)~CODE_RELEASED;
    u8 modifier;

    if (decoder->n_skip > 0) {
        decoder->n_skip--;
        return KEY_NONE;
    }
    decoder->extended = code == CODE_EXTENDED;
    if (code == CODE_PAUSE)
        decoder->n_skip = 2;
    if (code == CODE_EXTENDED || code == CODE_PAUSE)
        return KEY_NONE;

    modifier = modifier_of(position, extended);
    if (code & CODE_RELEASED) {
        decoder->held &= (u8)~modifier;
        return KEY_NONE;
    }
    if (modifier & ~decoder->held & SCANCODE_CAPS_LOCK)
        decoder->caps_lock = !decoder->caps_lock;
    if (modifier & ~decoder->held & SCANCODE_NUM_LOCK)
        decoder->num_lock = !decoder->num_lock;
    decoder->held |= modifier;
    return modifier ? KEY_NONE : pressed_key(decoder, position, extended);
}
