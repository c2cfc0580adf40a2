/* SPDX-License-Identifier: MIT */
/* Traces that cannot be played: what is said about them. */
#include <cmocka_all.h>

#include <kernel/bench/trace.h>

#include <string.h>

#define N_IDS 4

struct module {
    u32 magic, n_events, highest_object, highest_block;
    struct trace_event event[4];
};

static struct trace_event event(enum trace_operation operation, u32 id, u32 value)
{
    return (struct trace_event){(u32)operation << 30 | id, value};
}

/* Takes and frees an object and a block. */
static struct module sound_module(void)
{
    return (struct module){TRACE_MAGIC,
                           4,
                           N_IDS - 1,
                           N_IDS - 1,
                           {event(TRACE_ALLOC, 3, 1 << 20), event(TRACE_TAKE_BLOCK, 3, TRACE_MAX_ORDER),
                            event(TRACE_FREE, 3, 0), event(TRACE_GIVE_BLOCK, 3, 0)}};
}

/* What is wrong with the events, and with which. */
static const char *fault_of(const struct module *module, u32 *at)
{
    u64 object[N_IDS] = {0}, block[N_IDS] = {0};
    const char *fault;
    struct trace trace;

    assert_null(trace_open(module, sizeof *module, &trace));
    fault = trace_fault(&trace, object, block, at);
    for (unsigned i = 0; i < N_IDS; i++)
        assert_true(object[i] == 0 && block[i] == 0);
    return fault;
}

static void a_header_is_believed_only_as_far_as_the_file_goes(void **state)
{
    struct module module = sound_module();
    struct trace trace;

    (void)state;
    assert_null(trace_open(&module, sizeof module, &trace));
    assert_int_equal(trace.n_events, 4);
    assert_true(trace_begins(&module, 4));
    assert_non_null(strstr(trace_open(&module, 4, &trace), "shorter"));
    assert_non_null(strstr(trace_open(&module, sizeof module - 1, &trace), "shorter"));
    module.highest_block = 63U << 18;
    assert_non_null(strstr(trace_open(&module, sizeof module, &trace), "above 16515071"));
    module.highest_block--;
    assert_null(trace_open(&module, sizeof module, &trace));
    module.highest_object = ~0U;
    assert_non_null(strstr(trace_open(&module, sizeof module, &trace), "above 16515071"));
    module.magic++;
    assert_non_null(strstr(trace_open(&module, sizeof module, &trace), "KTRC"));
    assert_false(trace_begins(&module, sizeof module));
}

static void an_event_that_is_wrong_is_named_with_the_reason(void **state)
{
    static const struct {
        u32 at;
        struct trace_event event;
        const char *fault;
    } cases[] = {
        {0, {(u32)TRACE_ALLOC << 30 | 3, (1 << 20) + 1}, "more than 1 MiB"},
        {1, {(u32)TRACE_TAKE_BLOCK << 30, TRACE_MAX_ORDER + 1}, "order above 10"},
        {1, {(u32)TRACE_ALLOC << 30 | 3, 8}, "taken that is live"},
        {2, {(u32)TRACE_FREE << 30 | 2, 0}, "freed that is not live"},
        {3, {(u32)TRACE_GIVE_BLOCK << 30 | 2, 0}, "freed that is not live"},
        {3, {(u32)TRACE_ALLOC << 30 | N_IDS, 8}, "highest that the header has"},
    };
    struct module module = sound_module();
    u32 at;

    (void)state;
    assert_null(fault_of(&module, &at));
    assert_int_equal(at, 4);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        module = sound_module();
        module.event[cases[i].at] = cases[i].event;
        assert_non_null(strstr(fault_of(&module, &at), cases[i].fault));
        assert_int_equal(at, cases[i].at);
    }
}

static void another_trace_is_not_the_one_of_linux(void **state)
{
    struct module module = sound_module();
    struct trace trace;

    (void)state;
    assert_null(trace_open(&module, sizeof module, &trace));
    assert_false(trace_is_linux_boot(&trace));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_believed_only_as_far_as_the_file_goes),
        cmocka_unit_test(an_event_that_is_wrong_is_named_with_the_reason),
        cmocka_unit_test(another_trace_is_not_the_one_of_linux),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
