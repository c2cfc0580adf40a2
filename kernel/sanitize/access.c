/* SPDX-License-Identifier: MIT */
/*
 * What the compiler calls: before each access, around functions that do not return, for each file's globals; and, by
 * the linker's --wrap, in place of memset and its kin, whose string instructions it does not see.
 */
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/registers.h>
#include <kernel/sanitize/globals.h>
#include <kernel/sanitize/report.h>
#include <kernel/sanitize/sanitize.h>
#include <kernel/sanitize/shadow.h>

extern const u8 boot_stack_end[]; /* boot/entry.asm */

static inline void check_word(u64 at, u64 bytes, bool write, const void *rip)
{
    if (UNLIKELY(!shadow_allows_word(at, bytes)))
        report_access(at, bytes, write, (u64)rip);
}

static inline void check(u64 at, u64 bytes, bool write, const void *rip)
{
    if (UNLIKELY(!shadow_allows(at, bytes)))
        report_access(at, bytes, write, (u64)rip);
}

#define DEFINE_CHECK(name, bytes, write)                                                                     \
    void name(u64 at);                                                                                       \
    void name(u64 at)                                                                                        \
    {                                                                                                        \
        check_word(at, bytes, write, __builtin_return_address(0));                                           \
    }

DEFINE_CHECK(__asan_load1_noabort, 1, false)
DEFINE_CHECK(__asan_load2_noabort, 2, false)
DEFINE_CHECK(__asan_load4_noabort, 4, false)
DEFINE_CHECK(__asan_load8_noabort, 8, false)
DEFINE_CHECK(__asan_load16_noabort, 16, false)
DEFINE_CHECK(__asan_store1_noabort, 1, true)
DEFINE_CHECK(__asan_store2_noabort, 2, true)
DEFINE_CHECK(__asan_store4_noabort, 4, true)
DEFINE_CHECK(__asan_store8_noabort, 8, true)
DEFINE_CHECK(__asan_store16_noabort, 16, true)

void __asan_loadN_noabort(u64 at, u64 bytes);
void __asan_storeN_noabort(u64 at, u64 bytes);

void __asan_loadN_noabort(u64 at, u64 bytes)
{
    check(at, bytes, false, __builtin_return_address(0));
}

void __asan_storeN_noabort(u64 at, u64 bytes)
{
    check(at, bytes, true, __builtin_return_address(0));
}

/* ---- memory in blocks ---- */

void *__real_memset(void *dst, int byte, size_t n);
void *__real_memcpy(void *dst, const void *src, size_t n);
void *__real_memmove(void *dst, const void *src, size_t n);
void *__wrap_memset(void *dst, int byte, size_t n);
void *__wrap_memcpy(void *dst, const void *src, size_t n);
void *__wrap_memmove(void *dst, const void *src, size_t n);

void *__wrap_memset(void *dst, int byte, size_t n)
{
    check((u64)dst, n, true, __builtin_return_address(0));
    return __real_memset(dst, byte, n);
}

void *__wrap_memcpy(void *dst, const void *src, size_t n)
{
    check((u64)src, n, false, __builtin_return_address(0));
    check((u64)dst, n, true, __builtin_return_address(0));
    return __real_memcpy(dst, src, n);
}

void *__wrap_memmove(void *dst, const void *src, size_t n)
{
    check((u64)src, n, false, __builtin_return_address(0));
    check((u64)dst, n, true, __builtin_return_address(0));
    return __real_memmove(dst, src, n);
}

/* ---- stacks ---- */

/* Before a call that does not return: the frames above are left for good, as far as anybody knows. */
void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
    u64 sp = (u64)__builtin_frame_address(0);
    u64 top = cpu_started ? cpu_stack_of(sp).top : (u64)boot_stack_end;

    sanitize_stack_left(sp, top);
}

/* ---- globals ---- */

static const struct sanitize_global *globals[SANITIZE_N_FILES];
static u64 n_globals[SANITIZE_N_FILES];
static u32 n_files;

void __asan_register_globals(const struct sanitize_global *global, u64 n);
void __asan_unregister_globals(const struct sanitize_global *global, u64 n);

/* Run for each file by sanitize_start.  A file too many goes without names, not without red zones. */
void __asan_register_globals(const struct sanitize_global *global, u64 n)
{
    if (n_files < SANITIZE_N_FILES) {
        globals[n_files] = global;
        n_globals[n_files++] = n;
    }
    for (u64 i = 0; i < n; i++) {
        shadow_poison(global[i].start, global[i].whole_bytes, SHADOW_GLOBAL);
        shadow_open(global[i].start, global[i].bytes);
    }
}

/* The end of a program, which a kernel has not: the compiler only wants the name. */
void __asan_unregister_globals(const struct sanitize_global *global, u64 n)
{
    (void)global;
    (void)n;
}

const struct sanitize_global *sanitize_global_at(u64 at)
{
    for (u32 file = 0; file < n_files; file++)
        for (u64 i = 0; i < n_globals[file]; i++)
            if (at - globals[file][i].start < globals[file][i].whole_bytes)
                return &globals[file][i];
    return NULL;
}
