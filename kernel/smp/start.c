/* SPDX-License-Identifier: MIT */
/*
 * Starting CPUs (Intel SDM volume 3, "MP Initialization Protocol").
 *
 * A CPU begins at the trampoline, a frame below 640 KiB that the firmware calls usable and that holds nothing
 * of the loader's.  To turn paging on there it needs a top-level table below 4 GiB that shows that frame at
 * its physical address, which the kernel's own does not (virtual page 0 and what follows belong to nobody): a
 * copy of the kernel's in a DMA frame, with one 4 KiB mapping, for the time of starting.
 *
 *      INIT to all, 10 ms;  then one after the other: start-up, and again after 200 us if it does not show up
 *
 * A CPU that does not show up in ten seconds gets another INIT, so it cannot wake up later into tables that are
 * gone.  After MAX_FAILURES such, the list is taken for wrong.
 */
#include <kernel/acpi/acpi.h>
#include <kernel/boot/options.h>
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/features.h>
#include <kernel/cpu/registers.h>
#include <kernel/debug/log.h>
#include <kernel/debug/panic.h>
#include <kernel/mm/memory.h>
#include <kernel/smp/cpus.h>
#include <kernel/smp/ipi.h>
#include <kernel/smp/lapic.h>
#include <kernel/smp/madt.h>
#include <kernel/smp/smp.h>
#include <kernel/time/time.h>
#include <lib/bits.h>
#include <lib/string.h>
#include <mm/cpu.h>
#include <mm/frame.h>
#include <mm/inspect.h>
#include <mm/mmio.h>
#include <mm/paging.h>
#include <mm/ram.h>

#define LOW_START         0x1000UL /* behind the real mode's vectors and the BIOS's data */
#define LOW_END           0xa0000UL
#define LOW_RESERVED_NAME "low memory"

#define INIT_WAIT_US    10000
#define STARTUP_WAIT_US 200
#define SHOW_UP_WAIT_US 10000000
#define STEP_US         50
#define MAX_FAILURES    3

extern const u8 trampoline_start[], trampoline_end[];
extern const u8 trampoline_cr3[], trampoline_efer[], trampoline_stack[], trampoline_cpu[];

_Noreturn void smp_cpu_entry(struct cpu *cpu);

static u64 trampoline; /* physical */
static bool showed_up;

/* The first C of another CPU, on its own stack, with the starting table. */
_Noreturn void smp_cpu_entry(struct cpu *cpu)
{
    cpu_features_enable();
    cr3_write(paging_kernel_top().addr);
    cpu_start_other(cpu);
    lapic_enable(IPI_VECTOR_SPURIOUS);
    __atomic_store_n(&showed_up, true, __ATOMIC_RELEASE);
    cpus_work(cpu->number);
}

/* ---- the trampoline ---- */

static void *trampoline_at(const u8 *place)
{
    return phys_pointer(phys(trampoline + (u64)(place - trampoline_start)));
}

/* True when the loader or mm keeps something in this frame of low memory. */
static bool is_in_use(u64 frame)
{
    u64 start, end;
    const char *name;

    for (unsigned i = 0; mm_reserved_range(i, &start, &end, &name); i++)
        if (strcmp(name, LOW_RESERVED_NAME) != 0 && start < frame + FRAME_BYTES && end > frame)
            return true;
    return early_owns(phys(frame));
}

/* A frame for the trampoline, 0 when there is none. */
static u64 find_low_frame(void)
{
    struct memory_range run;

    for (u64 at = LOW_START; ram_next(at, &run) && run.start < LOW_END; at = run.end)
        for (u64 frame = run.start < at ? at : run.start; frame + FRAME_BYTES <= min_u64(run.end, LOW_END);
             frame += FRAME_BYTES)
            if (!is_in_use(frame))
                return frame;
    return 0;
}

/* A top-level table below 4 GiB that shows the trampoline where it physically is.  PHYS_NONE without memory.
 */
static phys_t make_starting_table(void)
{
    phys_t top = frame_alloc(ZONE_DMA, 0);

    if (phys_is_none(top))
        return top;
    if (top.addr >> 32 != 0) { /* zone_dma= may reach so far, the CR3 of 32-bit code does not */
        frame_free(top, 0);
        return PHYS_NONE;
    }
    memcpy(phys_pointer(top), phys_pointer(paging_kernel_top()), FRAME_BYTES);
    memset(phys_pointer(top), 0, FRAME_BYTES / 2);
    if (mm_map_proc_page_table(top.addr, true, trampoline, trampoline, FRAME_BYTES, PAGE_KERNEL_4K_PAGE,
                               false, false, true) == 0)
        return top;
    frame_free(top, 0);
    return PHYS_NONE;
}

static void drop_starting_table(phys_t top)
{
    mm_unmap_proc_table(top.addr, true, trampoline, FRAME_BYTES);
    frame_free(top, 0);
}

static void fill_trampoline(phys_t top)
{
    memcpy(phys_pointer(phys(trampoline)), trampoline_start, (u64)(trampoline_end - trampoline_start));
    *(u64 *)trampoline_at(trampoline_cr3) = top.addr;
    *(u64 *)trampoline_at(trampoline_efer) = msr_read(MSR_EFER) & ~EFER_LMA;
}

/* ---- one CPU ---- */

/* Each CPU takes a quarter of a MiB.  Where all together would take half of what there is, fewer will do. */
static bool has_memory_for_another(void)
{
    struct mm_stat_t stat = mm_stat();

    return stat.free > stat.total / 2;
}

/* The block of a new CPU, its stacks and its caches.  NULL when memory is short; what was got by then stays
 * taken. */
static struct cpu *make_cpu(u32 number)
{
    struct cpu *cpu;
    struct mm_cpu *mm_cpu;

    if (!has_memory_for_another())
        return NULL;
    cpu = kzalloc(sizeof *cpu, 0);
    mm_cpu = mm_cpu_create();
    if (cpu == NULL || mm_cpu == NULL || !stacks_map_all(cpu))
        return NULL;
    cpu->self = cpu;
    cpu->number = number;
    cpu->mm_contexts[0] = cpu->mm_context = mm_cpu;
    cpu->mm_contexts[1] = mm_cpu->other;
    return cpu;
}

static bool wait_for_cpu(u64 microseconds)
{
    for (u64 waited = 0; waited < microseconds; waited += STEP_US) {
        if (__atomic_load_n(&showed_up, __ATOMIC_ACQUIRE))
            return true;
        time_wait_us(STEP_US);
    }
    return __atomic_load_n(&showed_up, __ATOMIC_ACQUIRE);
}

static bool start_cpu(struct cpu *cpu, u32 apic_id)
{
    u8 page = (u8)(trampoline / FRAME_BYTES);

    cpu->apic_id = apic_id;
    *(u64 *)trampoline_at(trampoline_stack) = cpu->stack.top;
    *(u64 *)trampoline_at(trampoline_cpu) = (u64)cpu;
    __atomic_store_n(&showed_up, false, __ATOMIC_RELEASE);
    lapic_send_startup(apic_id, page);
    if (wait_for_cpu(STARTUP_WAIT_US))
        return true;
    lapic_send_startup(apic_id, page);
    if (wait_for_cpu(SHOW_UP_WAIT_US))
        return true;
    lapic_send_init(apic_id);
    time_wait_us(INIT_WAIT_US);
    klog("smp: the CPU with APIC id %u does not start", apic_id);
    return false;
}

/* ---- all of them ---- */

static bool can_start(u32 apic_id)
{
    return apic_id != smp_cpu(0)->apic_id && apic_id <= lapic_max_id();
}

static void send_init_to_all(const struct madt *madt)
{
    for (u32 i = 0; i < madt->n_cpus; i++)
        if (can_start(madt->apic_id[i]))
            lapic_send_init(madt->apic_id[i]);
    time_wait_us(INIT_WAIT_US);
}

static void start_listed(const struct madt *madt, u32 limit)
{
    u32 n = 1, n_failures = 0;
    struct cpu *cpu = NULL;

    send_init_to_all(madt);
    for (u32 i = 0; i < madt->n_cpus && n < limit && n_failures < MAX_FAILURES; i++) {
        if (!can_start(madt->apic_id[i]))
            continue;
        if (cpu == NULL)
            cpu = make_cpu(n);
        if (cpu == NULL) {
            klog("smp: no memory for CPU %u", n);
            return;
        }
        if (!start_cpu(cpu, madt->apic_id[i])) {
            n_failures++;
            continue;
        }
        cpus_set(n, cpu);
        cpus_count(++n);
        cpu = NULL;
    }
}

static bool read_madt(struct madt *madt)
{
    const struct acpi_table *table = acpi_tables_find(acpi_tables(), "APIC", 0);
    const u8 *bytes = table != NULL ? mmio_map(phys(table->phys), table->length, MMIO_WRITE_BACK) : NULL;
    bool good;

    if (bytes == NULL)
        return false;
    good = madt_parse(bytes, table->length, madt);
    mmio_unmap(bytes);
    return good && madt->n_cpus > 1;
}

static const char *start_others(const struct madt *madt, u32 limit)
{
    phys_t top;

    trampoline = find_low_frame();
    if (trampoline == 0)
        return "no usable frame below 640 KiB to start other CPUs from";
    if (!lapic_start())
        return "no memory to map the APIC";
    lapic_enable(IPI_VECTOR_SPURIOUS);
    cpu_this()->apic_id = lapic_id();
    top = make_starting_table();
    if (phys_is_none(top))
        return "no memory below 4 GiB to start other CPUs";
    fill_trampoline(top);
    start_listed(madt, limit);
    drop_starting_table(top);
    return NULL;
}

void smp_start(const struct options *options)
{
    static struct madt madt;
    u32 limit = options->smp_cpus != 0 && options->smp_cpus < SMP_N_CPUS ? options->smp_cpus : SMP_N_CPUS;
    const char *wrong;

    cpus_set(0, cpu_this());
    panic_set_stopper(cpus_stop_others);
    if (limit == 1 || options->safe || !cpu_features.apic || !read_madt(&madt))
        return;
    wrong = start_others(&madt, limit);
    if (wrong != NULL)
        klog("smp: %s", wrong);
    klog("smp: %u of %u CPUs run", smp_n_cpus(), madt.n_cpus + madt.n_dropped);
}
