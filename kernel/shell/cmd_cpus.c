/* SPDX-License-Identifier: MIT */
/* The CPUs that run. */
#include <kernel/cpu/cpu.h>
#include <kernel/shell/call.h>
#include <kernel/shell/commands.h>
#include <kernel/shell/out.h>
#include <kernel/smp/smp.h>

static void cpus_json(void)
{
    struct json json;
    out_json_start(&json);
    json_array(&json, NULL);
    for (u32 i = 0; i < smp_n_cpus(); i++) {
        json_object(&json, NULL);
        json_number(&json, "cpu", i);
        json_number(&json, "apic", smp_cpu(i)->apic_id);
        json_object_end(&json);
    }
    json_array_end(&json);
    out_json_end();
}

static bool run_cpus(struct call *call)
{
    if (call_has(call, "-j")) {
        cpus_json();
        return true;
    }
    for (u32 i = 0; i < smp_n_cpus(); i++)
        out("%-3u APIC id %-3u  %s\n", i, smp_cpu(i)->apic_id,
            i == 0           ? "the boot CPU"
            : smp_is_busy(i) ? "works"
                             : "asleep");
    return true;
}

static const struct command_option options_cpus[] = {
    {"-j", NULL, "one line of JSON"},
    {NULL, NULL, NULL},
};

const struct command commands_cpus[] = {
    {.name = "cpus",
     .usage = "cpus [-j]",
     .summary = "the CPUs that run, with their APIC ids",
     .example = "cpus",
     .trouble = "a CPU that did not start is named in the log; smp=N on the kernel command line limits them",
     .run = run_cpus,
     .options = options_cpus,
     .flags = COMMAND_LOOKS},
    {.name = NULL},
};
