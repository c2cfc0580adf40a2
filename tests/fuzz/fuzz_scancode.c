/* SPDX-License-Identifier: MIT */
/*
 * The keyboard's scan codes.  Input: codes as the controller gives them.  Keys come out in range; what is held is what a
 * plain list of the modifiers says; and after any beginning a person who lets go of everything types as usual.
 */
#include <fuzz.h>

#include <kernel/console/scancode.h>

/* The modifiers by code, without and with E0 in front. */
static u8 modifier(u8 position, bool extended)
{
    if (position == 0x1d)
        return extended ? SCANCODE_RIGHT_CTRL : SCANCODE_LEFT_CTRL;
    if (position == 0x38)
        return extended ? SCANCODE_ALTGR : SCANCODE_ALT;
    if (extended)
        return 0;
    return position == 0x2a   ? SCANCODE_LEFT_SHIFT
           : position == 0x36 ? SCANCODE_RIGHT_SHIFT
           : position == 0x3a ? SCANCODE_CAPS_LOCK
           : position == 0x45 ? SCANCODE_NUM_LOCK
                              : 0;
}

/* What is held, from the codes alone; E1 swallows two codes, E0 marks one. */
struct model {
    u8 held;
    bool extended;
    unsigned n_skip;
};

static void model_push(struct model *model, u8 code)
{
    bool extended = model->extended;

    if (model->n_skip > 0) {
        model->n_skip--;
        return;
    }
    model->extended = code == 0xe0;
    if (code == 0xe1)
        model->n_skip = 2;
    if (code == 0xe0 || code == 0xe1)
        return;
    if (code & 0x80)
        model->held &= (u8)~modifier(code & 0x7f, extended);
    else
        model->held |= modifier(code, extended);
}

static int press(struct scancode_decoder *decoder, u8 code)
{
    int key = scancode_push(decoder, code);

    expect(scancode_push(decoder, code | 0x80) == KEY_NONE);
    return key;
}

/* Lets everything go and types: what comes is what the lock keys say, and nothing else. */
static void type_as_usual(struct scancode_decoder *decoder)
{
    static const u8 modifiers[] = {0x1d, 0x38, 0x2a, 0x36, 0x3a, 0x45};

    for (unsigned i = 0; i < 3; i++)
        scancode_push(decoder, 0xff); /* the end of what was begun; no key has this code */
    for (unsigned i = 0; i < sizeof(modifiers); i++) {
        expect(scancode_push(decoder, modifiers[i] | 0x80) == KEY_NONE);
        expect(scancode_push(decoder, 0xe0) == KEY_NONE);
        expect(scancode_push(decoder, modifiers[i] | 0x80) == KEY_NONE);
    }
    expect(decoder->held == 0 && !decoder->extended && decoder->n_skip == 0);
    expect(press(decoder, 0x1e) == (decoder->caps_lock ? 'A' : 'a'));
    expect(press(decoder, 0x02) == '1');
    expect(press(decoder, 0x1c) == KEY_ENTER);
    expect(press(decoder, 0x48) == (decoder->num_lock ? '8' : KEY_UP));
    scancode_push(decoder, 0x1d);
    expect(scancode_push(decoder, 0x2e) == KEY_CTRL('C'));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
    struct scancode_decoder decoder;
    struct model model = {0};

    scancode_start(&decoder);
    for (size_t i = 0; i < n; i++) {
        int key = scancode_push(&decoder, data[i]);

        model_push(&model, data[i]);
        expect(key == KEY_NONE || (key >= 0 && key <= KEY_PGDN));
        expect(key == KEY_NONE || key < 0x80 || key >= KEY_UP);
        expect(decoder.held == model.held);
    }
    type_as_usual(&decoder);
    return 0;
}
