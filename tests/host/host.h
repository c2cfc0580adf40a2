/* SPDX-License-Identifier: MIT */
/*
 * A process as a machine: what tests can do to it and see of it, behind mm's back.
 *
 * Physical memory is a sparse file in memory; RAM of it is mapped at PAGE_OFFSET.  What is no RAM is not
 * mapped: a stray access ends in a fault.  The MMU is modelled (platform_mmu.c): a translator that walks the
 * page tables and, like a real one, keeps what it found until it is told to forget.
 */
#ifndef TESTS_HOST_HOST_H
#define TESTS_HOST_HOST_H

#include <mm/boot.h>
#include <mm/platform.h>
#include <setjmp.h>

/* Memory.  host_memory_start gives a machine without RAM; forgets an earlier one. */
void host_memory_start(void);
void host_memory_add(u64 start, u64 bytes);
void host_memory_stop(void);

/* Chooses the context of this thread: 0 code, 1 interrupt handlers. */
void host_cpu_select(unsigned context);

/* How often the other CPUs were asked to run something (platform_synchronize), since the program began. */
unsigned host_n_synchronizations(void);

/* Reports since the last host_reports_forget.  host_reported: did any of the last 64 lines contain `part`? */
void host_reports_forget(void);
unsigned host_n_reports(enum mm_severity severity);
const char *host_last_report(void);
bool host_reported(const char *part);

/* Runs `statement`, which is expected to end in a report of MM_BROKEN; true if it did.  Locks that it held
 * are freed by force. */
#define HOST_BREAKS(statement)                                                                               \
    (host_broken_arm(),                                                                                      \
     setjmp(host_broken_jump) == 0 ? ((void)(statement), host_broken_disarm(), false) : true)
extern jmp_buf host_broken_jump;
void host_broken_arm(void);
void host_broken_disarm(void);

/* Locks held at this moment by anybody. */
unsigned host_n_locks_held(void);

/* fn runs before each lock that is taken, as another CPU or an interrupt handler may just then; but not inside itself.  NULL
 * ends it. */
void host_before_locks(void (*fn)(void));

/* What the MMU makes of an address. */
enum host_cache { HOST_WB, HOST_WT, HOST_UC_MINUS, HOST_UC, HOST_WC };

struct host_translation {
    u64 phys; /* of the very byte */
    u64 leaf_bytes;
    bool writable, user, executable, global;
    enum host_cache cache;
};

/* Sets what the modelled CPU can do, and forgets all it knows. */
void host_mmu_start(const struct mm_features *features);

/* A fresh walk of the tables from `top`, and the same through the TLB of the current table. */
bool host_walk(u64 top, u64 at, struct host_translation *out);
bool host_translate(u64 at, struct host_translation *out);

/* Flushes asked for since host_mmu_start; the last one. */
u64 host_n_flushes(void);
u64 host_last_flush(u64 *bytes);

/*
 * Another CPU that uses these addresses, n at the most HOST_N_WATCHED, at the worst moment: whatever of them
 * can be reached just after a flush is cached again.  n = 0 ends it.
 */
#define HOST_N_WATCHED 256
void host_mmu_watch(const u64 *addresses, unsigned n);

/*
 * Everything cached must be what the tables say now: a leaf the same leaf, a table the same table.  Mistakes
 * if not.
 */
void host_mmu_compare(void);

/* Mistakes seen by the MMU since host_mmu_start: reserved bits set, tables freed before they were flushed, a
 * flush under way in a table that is not there.  0 in a sound system; host_mmu_mistake tells the last one. */
u64 host_n_mmu_mistakes(void);
const char *host_mmu_mistake(void);

#endif
