/* SPDX-License-Identifier: MIT */
/*
 * Starting CPUs, and their work.
 *
 * A CPU begins at the trampoline, a frame in low memory.  To turn paging on there it needs a top-level table below
 * 4 GiB that shows that frame at its physical address, which the kernel's own does not (virtual page 0 and what
 * follows belong to nobody): a copy of the kernel's in a DMA frame, with one 4 KiB mapping, for the time of starting.
 * CPUs are started one after the other: INIT, 10 ms, start-up, and again after 200 us if it does not show up.
 *
 * Afterwards a CPU sleeps in HLT.  smp_post hands it one function at a time through its slot: `work` is set last and
 * cleared when the function has returned.
 */
#include <kernel/acpi/acpi.h>
#include <kernel/boot/options.h>
#include <kernel/cpu/cpu.h>
#include <kernel/cpu/features.h>
#include <kernel/cpu/idt.h>
#include <kernel/cpu/registers.h>
#include <kernel/debug/log.h>
#include <kernel/mm/memory.h>
#include <kernel/smp/ipi.h>
#include <kernel/smp/lapic.h>
#include <kernel/smp/madt.h>
#include <kernel/smp/smp.h>
#include <kernel/time/time.h>
#include <lib/string.h>
#include <mm/cpu.h>
#include <mm/frame.h>
#include <mm/mmio.h>
#include <mm/paging.h>

#define TRAMPOLINE 0x8000UL
#define INIT_WAIT_US 10000
#define STARTUP_WAIT_US 200
#define SHOW_UP_WAIT_US 200000
#define STACK_ORDER 3

extern const u8 trampoline_start[], trampoline_end[];
extern const u8 trampoline_cr3[], trampoline_efer[], trampoline_stack[], trampoline_cpu[];

_Noreturn void smp_cpu_entry(struct cpu *cpu);

/* What a CPU is to do.  fn is read once `work` is true. */
struct slot {
    struct cpu *cpu;
    void (*fn)(void *);
    void *argument;
    bool work;
};

static struct slot slots[SMP_N_CPUS];
static u32 n_cpus = 1;
static bool showed_up;

u32 smp_n_cpus(void)
{
    return __atomic_load_n(&n_cpus, __ATOMIC_ACQUIRE);
}

const struct cpu *smp_cpu(u32 number)
{
    return slots[number].cpu;
}

/* Sleeps until there is work, and does it.  STI takes effect after HLT has begun, so no wake-up is lost. */
static _Noreturn void work_for_ever(struct slot *slot)
{
    for (;;) {
        interrupts_disable();
        if (!__atomic_load_n(&slot->work, __ATOMIC_ACQUIRE)) {
            cpu_wait_interrupt();
            continue;
        }
        interrupts_enable();
        slot->fn(slot->argument);
        __atomic_store_n(&slot->work, false, __ATOMIC_RELEASE);
    }
}

/* The first C of another CPU, on its own stack, with the starting table. */
_Noreturn void smp_cpu_entry(struct cpu *cpu)
{
    cpu_features_enable();
    cr3_write(paging_kernel_top().addr);
    cpu_start_other(cpu);
    lapic_enable(IPI_VECTOR_SPURIOUS);
    __atomic_store_n(&showed_up, true, __ATOMIC_RELEASE);
    work_for_ever(&slots[cpu->number]);
}

static void *trampoline_at(const u8 *place)
{
    return phys_pointer(phys(TRAMPOLINE + (u64)(place - trampoline_start)));
}

/* A top-level table below 4 GiB that shows the trampoline where it physically is.  PHYS_NONE without memory. */
static phys_t make_starting_table(void)
{
    phys_t top = frame_alloc(ZONE_DMA, 0);

    if (phys_is_none(top))
        return top;
    memcpy(phys_pointer(top), phys_pointer(paging_kernel_top()), FRAME_BYTES);
    memset(phys_pointer(top), 0, FRAME_BYTES / 2);
    if (mm_map_proc_page_table(top.addr, true, TRAMPOLINE, TRAMPOLINE, FRAME_BYTES, PAGE_KERNEL_4K_PAGE, false, false,
                               true) == 0)
        return top;
    frame_free(top, 0);
    return PHYS_NONE;
}

static void drop_starting_table(phys_t top)
{
    mm_unmap_proc_table(top.addr, true, TRAMPOLINE, FRAME_BYTES);
    frame_free(top, 0);
}

/* The block of a new CPU, its stacks and its caches.  NULL when memory is exhausted. */
static struct cpu *make_cpu(u32 number, u8 apic_id)
{
    struct cpu *cpu = kzalloc(sizeof *cpu, 0);
    struct mm_cpu *mm_cpu = mm_cpu_create();

    if (cpu == NULL || mm_cpu == NULL || !stacks_map_all(cpu))
        return NULL;
    cpu->self = cpu;
    cpu->number = number;
    cpu->apic_id = apic_id;
    cpu->mm_contexts[0] = cpu->mm_context = mm_cpu;
    cpu->mm_contexts[1] = mm_cpu->other;
    return cpu;
}

static bool wait_for_cpu(u64 microseconds)
{
    for (u64 waited = 0; waited < microseconds; waited += 50) {
        if (__atomic_load_n(&showed_up, __ATOMIC_ACQUIRE))
            return true;
        time_wait_us(50);
    }
    return __atomic_load_n(&showed_up, __ATOMIC_ACQUIRE);
}

static bool start_cpu(struct cpu *cpu)
{
    *(u64 *)trampoline_at(trampoline_stack) = cpu->stack.top;
    *(u64 *)trampoline_at(trampoline_cpu) = (u64)cpu;
    __atomic_store_n(&showed_up, false, __ATOMIC_RELEASE);
    lapic_send_init((u8)cpu->apic_id);
    time_wait_us(INIT_WAIT_US);
    lapic_send_startup((u8)cpu->apic_id, TRAMPOLINE / FRAME_BYTES);
    if (wait_for_cpu(STARTUP_WAIT_US))
        return true;
    lapic_send_startup((u8)cpu->apic_id, TRAMPOLINE / FRAME_BYTES);
    return wait_for_cpu(SHOW_UP_WAIT_US);
}

static void start_listed(const struct madt *madt, u32 limit)
{
    for (u32 i = 0; i < madt->n_cpus && n_cpus < limit; i++) {
        struct cpu *cpu;

        if (madt->apic_id[i] == cpu_this()->apic_id)
            continue;
        cpu = make_cpu(n_cpus, madt->apic_id[i]);
        if (cpu == NULL) {
            klog("smp: no memory for CPU %u", n_cpus);
            return;
        }
        slots[n_cpus].cpu = cpu;
        if (!start_cpu(cpu)) {
            klog("smp: the CPU with APIC id %u does not start", madt->apic_id[i]);
            return;
        }
        __atomic_store_n(&n_cpus, n_cpus + 1, __ATOMIC_RELEASE);
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
    return good;
}

void smp_start(const struct options *options)
{
    static struct madt madt;
    u32 limit = options->smp_cpus != 0 && options->smp_cpus < SMP_N_CPUS ? options->smp_cpus : SMP_N_CPUS;
    phys_t top;

    slots[0].cpu = cpu_this();
    if (limit == 1 || options->safe || !cpu_features.apic || !read_madt(&madt) || madt.n_cpus < 2 ||
        !lapic_map(madt.lapic_phys))
        return;
    lapic_enable(IPI_VECTOR_SPURIOUS);
    slots[0].cpu->apic_id = lapic_id();
    top = make_starting_table();
    if (phys_is_none(top)) {
        klog("smp: no memory to start other CPUs");
        return;
    }
    memcpy(phys_pointer(phys(TRAMPOLINE)), trampoline_start, (u64)(trampoline_end - trampoline_start));
    *(u64 *)trampoline_at(trampoline_cr3) = top.addr;
    *(u64 *)trampoline_at(trampoline_efer) = msr_read(MSR_EFER) & ~EFER_LMA;
    start_listed(&madt, limit);
    drop_starting_table(top);
    klog("smp: %u of %u CPUs run", n_cpus, madt.n_cpus);
}

bool smp_post(u32 number, void (*fn)(void *), void *argument)
{
    struct slot *slot = &slots[number];

    if (smp_is_busy(number))
        return false;
    slot->fn = fn;
    slot->argument = argument;
    __atomic_store_n(&slot->work, true, __ATOMIC_RELEASE);
    lapic_send((u8)slot->cpu->apic_id, IPI_VECTOR);
    return true;
}

bool smp_is_busy(u32 number)
{
    return __atomic_load_n(&slots[number].work, __ATOMIC_ACQUIRE);
}

struct call_all {
    void (*fn)(u32 number, void *argument);
    void *argument;
};

static void call_here(void *argument)
{
    const struct call_all *call = argument;

    call->fn(cpu_this()->number, call->argument);
}

void smp_run_on_all(void (*fn)(u32 number, void *argument), void *argument)
{
    struct call_all call = {fn, argument};
    u32 n = smp_n_cpus();

    for (u32 i = 1; i < n; i++)
        while (!smp_post(i, call_here, &call))
            cpu_pause();
    call_here(&call);
    for (u32 i = 1; i < n; i++)
        while (smp_is_busy(i)) {
            smp_serve();
            cpu_pause();
        }
}
