/* SPDX-License-Identifier: MIT */
/*
 * The kernel command line.
 *
 * The line is taken apart into words, quotes and backslashes resolved; a word is split at its first '=' into
 * a name and a value; a table gives each name a function that takes the value.  Such a function returns NULL,
 * or why it refuses the value, and then has changed nothing.  Any bytes are survived: a word that is too long
 * is named and dropped.
 */
#include <kernel/boot/options.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/debug.h>

/* The longest word: autorun= and a full value. */
#define WORD_BYTES (OPTIONS_AUTORUN_BYTES + 16)

#define MIB ((u64)1 << 20)
#define GIB ((u64)1 << 30)
#define TIB ((u64)1 << 40)

/* The image with its tables and something to manage; all the addresses that there are. */
#define MEM_LEAST (8 * MIB)
#define SMP_MOST        4096
#define MEM_MOST  ((u64)1 << 52)

/* At least one page; DMA addresses have 32 bits at most. */
#define ZONE_DMA_LEAST (2 * MIB)
#define ZONE_DMA_MOST  (4 * GIB)

/* Room for the kernel's own structures; the whole direct map window. */
#define DIRECT_MAP_LEAST (4 * MIB)
#define DIRECT_MAP_MOST  (32 * TIB)

struct word {
    char text[WORD_BYTES];
    size_t length;
    bool too_long, quote_open;
};

struct option {
    const char *name;
    const char *(*take)(struct options *options, const char *value);
    bool has_value;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void word_add(struct word *word, char c)
{
    if (word->length + 1 < sizeof(word->text))
        word->text[word->length++] = c;
    else
        word->too_long = true;
}

/* Reads the next word and moves *at behind it; false at the end of the line. */
static bool next_word(const char **at, struct word *word)
{
    const char *c = *at;
    bool quoted = false;

    word->length = 0;
    word->too_long = false;
    while (is_blank(*c))
        c++;
    bool found = *c != '\0';

    for (; *c != '\0' && (quoted || !is_blank(*c)); c++) {
        if (*c == '"') {
            quoted = !quoted;
            continue;
        }
        if (*c == '\\' && (c[1] == '\\' || c[1] == '"' || c[1] == '\''))
            c++;
        word_add(word, *c);
    }
    word->text[word->length] = '\0';
    word->quote_open = quoted;
    *at = c;
    return found;
}

/* The power of two that a suffix stands for; 0 for the end of the text, 255 for any other character. */
static unsigned suffix_shift(char c)
{
    switch (c) {
    case '\0':
        return 0;
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    case 't':
    case 'T':
        return 40;
    default:
        return 255;
    }
}

/* The value of a digit, or a number that is no digit in any base. */
static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 255;
}

/* Reads a size that must lie in [least, most]; NULL, or what is wrong with it. */
static const char *read_size(const char *text, u64 least, u64 most, u64 *bytes)
{
    bool is_hex = text[0] == '0' && (text[1] | 0x20) == 'x';
    unsigned base = is_hex ? 16 : 10;
    u64 value = 0;

    text += is_hex ? 2 : 0;
    if (digit_value(*text) >= base)
        return "is not a size";
    for (; digit_value(*text) < base; text++)
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit_value(*text), &value))
            return "is too large";

    unsigned shift = suffix_shift(*text);

    if (shift == 255 || (shift != 0 && text[1] != '\0'))
        return "is not a size: a number and K, M, G or T";
    if (value > most >> shift)
        return "is too large";
    if (value << shift < least)
        return "is too small";
    *bytes = value << shift;
    return NULL;
}

/* The place of `value` among the words of `choices`, which end with NULL; -1 when it is none of them. */
static int choose(const char *value, const char *const *choices)
{
    for (int i = 0; choices[i] != NULL; i++)
        if (strcmp(value, choices[i]) == 0)
            return i;
    return -1;
}

static const char *take_autorun(struct options *options, const char *value)
{
    if (strlen(value) >= sizeof(options->autorun))
        return "is too long";
    str_copy(options->autorun, sizeof(options->autorun), value);
    return NULL;
}

static const char *take_console(struct options *options, const char *value)
{
    static const char *const choices[] = {"auto", "serial", "screen", "both", NULL};
    int choice = choose(value, choices);

    if (choice < 0)
        return "is not one of auto, serial, screen, both";
    options->console = (enum console_choice)choice;
    return NULL;
}

static const char *take_panic(struct options *options, const char *value)
{
    static const char *const choices[] = {"shell", "reboot", "poweroff", "exit", NULL};
    int choice = choose(value, choices);

    if (choice < 0)
        return "is not one of shell, reboot, poweroff, exit";
    options->panic_action = (enum panic_action)choice;
    return NULL;
}

static const char *take_onbug(struct options *options, const char *value)
{
    static const char *const choices[] = {"report", "panic", NULL};
    int choice = choose(value, choices);

    if (choice < 0)
        return "is neither report nor panic";
    options->onbug_panic = choice == 1;
    return NULL;
}

/* The bit of a feature whose name is the first `length` bytes; 0 when there is none. */
static u32 debug_feature(const char *name, size_t length)
{
    for (unsigned i = 0; i < MM_DEBUG_N_FEATURES; i++) {
        const char *known = mm_debug_feature_name(i);

        if (strlen(known) == length && strncmp(known, name, length) == 0)
            return (u32)1 << i;
    }
    return 0;
}

/* A list of features, commas between them; 0 when a word of it is none. */
static u32 debug_features(const char *list)
{
    u32 features = 0;

    for (;;) {
        const char *comma = strchr(list, ',');
        u32 feature = debug_feature(list, comma != NULL ? (size_t)(comma - list) : strlen(list));

        features |= feature;
        if (feature == 0 || comma == NULL)
            return feature != 0 ? features : 0;
        list = comma + 1;
    }
}

static const char *take_debug(struct options *options, const char *value)
{
    static const char *const choices[] = {"off", "on", NULL};
    int choice = choose(value, choices);
    u32 features = choice < 0 ? debug_features(value) : MM_DEBUG_ALL * (u32)choice;

    if (choice < 0 && features == 0)
        return "is not on, off, or some of owner,poison,redzone,quarantine,trace";
    options->mm_debug = features;
    return NULL;
}

static const char *take_zone_dma(struct options *options, const char *value)
{
    return read_size(value, ZONE_DMA_LEAST, ZONE_DMA_MOST, &options->zone_dma_bytes);
}

static const char *take_direct_map(struct options *options, const char *value)
{
    if (strcmp(value, "all") == 0) {
        options->direct_map_bytes = OPTIONS_DIRECT_MAP_ALL;
        return NULL;
    }
    return read_size(value, DIRECT_MAP_LEAST, DIRECT_MAP_MOST, &options->direct_map_bytes);
}

static const char *take_mem(struct options *options, const char *value)
{
    return read_size(value, MEM_LEAST, MEM_MOST, &options->mem_bytes);
}

static const char *take_smp(struct options *options, const char *value)
{
    u64 n;
    const char *wrong = read_size(value, 1, SMP_MOST, &n);

    if (wrong == NULL)
        options->smp_cpus = (u32)n;
    return wrong;
}

static const char *take_safe(struct options *options, const char *value)
{
    (void)value;
    options->safe = true;
    return NULL;
}

static const struct option known_options[] = {
    {"autorun", take_autorun, true},   {"console", take_console, true},       {"panic", take_panic, true},
    {"zone_dma", take_zone_dma, true}, {"direct_map", take_direct_map, true}, {"mem", take_mem, true},
    {"mm.onbug", take_onbug, true},    {"mm.debug", take_debug, true},        {"safe", take_safe, false},
    {"smp", take_smp, true},
};

/* The option whose name the word has before its first '=' or its end; NULL when there is none. */
static const struct option *find_option(const char *word)
{
    for (size_t i = 0; i < ARRAY_LENGTH(known_options); i++) {
        size_t length = strlen(known_options[i].name);

        if (strncmp(word, known_options[i].name, length) == 0 &&
            (word[length] == '=' || word[length] == '\0'))
            return &known_options[i];
    }
    return NULL;
}

/* Obeys one word; NULL, or what is wrong with it. */
static const char *take_word(struct options *options, const struct word *word)
{
    const struct option *option = find_option(word->text);
    const char *equals = strchr(word->text, '=');

    if (option == NULL)
        return "is unknown";
    if (word->too_long)
        return "is too long";
    if (option->has_value && equals == NULL)
        return "wants a value";
    if (!option->has_value && equals != NULL)
        return "takes no value";
    return option->take(options, equals == NULL ? "" : equals + 1);
}

void options_parse(struct options *options, const char *command_line, const struct boot_warnings *warnings)
{
    struct word word;

    *options = (struct options){0};
    while (next_word(&command_line, &word)) {
        if (word.quote_open)
            boot_warn(warnings, "option '%.60s': the quote is never closed", word.text);
        if (word.length == 0)
            continue;

        const char *wrong = take_word(options, &word);

        if (wrong != NULL)
            boot_warn(warnings, "option '%.60s' %s", word.text, wrong);
    }
}
