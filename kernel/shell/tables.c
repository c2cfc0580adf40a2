/* SPDX-License-Identifier: MIT */
/*
 * Address spaces for trying things out.  A top-level table is an object of kmalloc(4096): its lower half is
 * empty, its upper half is a copy of the current table's, which is all that the kernel half of an address
 * space is.
 */
#include <kernel/shell/tables.h>

#include <kernel/shell/out.h>
#include <kernel/shell/results.h>
#include <lib/string.h>
#include <mm/inspect.h>
#include <mm/mm.h>
#include <mm/paging.h>

#define TABLE_BYTES PAGE_4K_SIZE
#define HALF_BYTES  (TABLE_BYTES / 2) /* 256 entries of 8 bytes */

static u64 tables[TABLES_MAX];

unsigned tables_add(u64 table)
{
    for (unsigned i = 0; i < TABLES_MAX; i++) {
        if (tables[i])
            continue;
        tables[i] = table;
        return i + 1;
    }
    return 0;
}

u64 tables_get(unsigned number)
{
    return number >= 1 && number <= TABLES_MAX ? tables[number - 1] : 0;
}

void tables_forget(u64 table)
{
    for (unsigned i = 0; i < TABLES_MAX; i++) {
        if (table && tables[i] == table)
            tables[i] = 0;
    }
}

phys_t tables_current(void)
{
    return phys((u64)get_CR3() & PAGE_4K_MASK);
}

void *tables_new(void)
{
    char *table = kmalloc(TABLE_BYTES, 0);
    if (!table) {
        out_error("pt new: no memory");
        return NULL;
    }
    if (!tables_add((u64)table)) {
        kfree(table);
        out_error("pt new: there are %u address spaces already; pt free one", TABLES_MAX);
        return NULL;
    }
    const char *current = phys_pointer(tables_current());
    memset(table, 0, HALF_BYTES);
    memcpy(table + HALF_BYTES, current + HALF_BYTES, HALF_BYTES);
    return table;
}

bool tables_free(u64 table)
{
    phys_t top = phys(virt_2_phys(table));
    if (top.addr == tables_current().addr)
        return out_error("0x%lx is in use on this CPU", table);
    if (mm_unmap_range(top.addr, true, MM_USER_START, MM_USER_END - MM_USER_START))
        return out_error("pt free: what is mapped in 0x%lx could not be unmapped", table);
    if (kfree((void *)table))
        return out_error("pt free: kfree(0x%lx) was refused", table);
    tables_forget(table);
    results_forget(table, RESULT_TABLE);
    return true;
}

/* A frame that mm would take for a top level, and that holds nothing of the kernel's own. */
static bool can_be_top(phys_t top)
{
    struct mm_what what;
    if (top.addr & ~PAGE_4K_MASK || !mm_is_direct(top))
        return false;
    mm_describe_phys(top, &what);
    return what.kind == MM_LIVE_OBJECT || what.kind == MM_PAGE || (what.kind == MM_TABLE && what.level == 4);
}

bool tables_argument(const struct call *call, unsigned i, phys_t *top)
{
    u64 value;
    const char *word = call->argument[i];
    if (!strcmp(word, "kernel") || !strcmp(word, "current")) {
        *top = word[0] == 'k' ? paging_kernel_top() : tables_current();
        return true;
    }
    if (!call_number(call, i, &value))
        return false;
    if (value < PAGE_4K_SIZE && !tables_get((unsigned)value))
        return out_error("there is no address space %s; pt list shows them", word);
    if (value < PAGE_4K_SIZE)
        value = tables_get((unsigned)value);
    *top = phys(value >= PAGE_OFFSET ? virt_2_phys(value) : value);
    return can_be_top(*top) || out_error("'%s' is no top-level page table", word);
}
