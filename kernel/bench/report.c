/* SPDX-License-Identifier: MIT */
/* Figures as a table beside Linux's, as lines of CSV, or as an array of JSON. */
#include <kernel/bench/report.h>

#include <kernel/bench/linux.h>
#include <kernel/shell/out.h>
#include <lib/printf.h>

/* A number with at most two decimals. */
struct decimal {
    char s[24];
};

static struct decimal decimal(u64 hundredths)
{
    struct decimal d;

    if (hundredths % 100 == 0)
        ksnprintf(d.s, sizeof d.s, "%lu", hundredths / 100);
    else if (hundredths % 10 == 0)
        ksnprintf(d.s, sizeof d.s, "%lu.%lu", hundredths / 100, hundredths / 10 % 10);
    else
        ksnprintf(d.s, sizeof d.s, "%lu.%02lu", hundredths / 100, hundredths % 100);
    return d;
}

/* The same, or "-" for 0. */
static struct decimal decimal_or_dash(u64 hundredths)
{
    return hundredths == 0 ? (struct decimal){"-"} : decimal(hundredths);
}

/* How many times as much Linux takes, to the tenth: "2.3x". */
static struct decimal ratio(u64 theirs, u64 ours)
{
    struct decimal d = {"-"};
    u64 tenths = ours == 0 ? 0 : (theirs * 10 + ours / 2) / ours;

    if (theirs != 0)
        ksnprintf(d.s, sizeof d.s, "%lu.%lux", tenths / 10, tenths % 10);
    return d;
}

/* "70/50", "70" or "-". */
static struct decimal bounds(const struct linux_figure *figure)
{
    struct decimal d = {"-"};

    if (figure->goal != 0)
        ksnprintf(d.s, sizeof d.s, "%u/%u", figure->target, figure->goal);
    else if (figure->target != 0)
        ksnprintf(d.s, sizeof d.s, "%u", figure->target);
    return d;
}

static const char *verdict(const struct linux_figure *figure, u64 ours)
{
    if (figure->target == 0)
        return "";
    if (ours > figure->target * 100UL)
        return "over";
    return figure->goal != 0 && ours <= figure->goal * 100UL ? "goal" : "ok";
}

static void print_row(const struct bench *bench, const struct figure *figure)
{
    static const struct linux_figure nothing = {.debian = "-"};
    const struct linux_figure *linux_figure =
        bench->beside_linux ? linux_find(figure->name, figure->param) : NULL;
    u64 ours = figure->median_hundredths;

    if (!bench->counts_instructions) {
        out("%-21s %8lu %9s\n", figure->name, figure->param, decimal(ours).s);
        return;
    }
    if (linux_figure == NULL)
        linux_figure = &nothing;
    out("%-21s %8lu %9s %8s %7s %10s %8s%s%s\n", figure->name, figure->param, decimal(ours).s,
        decimal_or_dash(linux_figure->lean_hundredths).s, ratio(linux_figure->lean_hundredths, ours).s,
        linux_figure->debian, bounds(linux_figure).s, linux_figure->target ? " " : "",
        verdict(linux_figure, ours));
}

static void print_csv(const struct figure *figure)
{
    out("bench,%s,%lu,%lu,%lu,%s,%s\n", figure->name, figure->param, figure->n_operations, figure->n_ticks,
        decimal(figure->min_hundredths).s, decimal(figure->median_hundredths).s);
}

static void print_json(const struct bench *bench)
{
    struct json json;

    out_json_start(&json);
    json_array(&json, NULL);
    for (unsigned i = 0; i < bench->n_figures; i++) {
        const struct figure *figure = &bench->figure[i];

        json_object(&json, NULL);
        json_text(&json, "name", figure->name);
        json_number(&json, "param", figure->param);
        json_digits(&json, "min", decimal(figure->min_hundredths).s);
        json_digits(&json, "median", decimal(figure->median_hundredths).s);
        json_object_end(&json);
    }
    json_array_end(&json);
    out_json_end();
}

static void print_heads(const struct bench *bench)
{
    if (!bench->counts_instructions) {
        out("these are ticks of the host's clock, not instructions: the table leaves Linux's figures and the targets out\n");
        out("%-21s %8s %9s\n", "ticks an operation", "of", "Tessera");
        return;
    }
    out("%-21s %8s %9s %8s %7s %10s %8s\n", "ticks an operation", "of", "Tessera", "Linux", "ratio",
        "Debian's", "target");
}

void report_figure(const struct bench *bench, const struct figure *figure)
{
    if (bench->form == BENCH_TABLE && figure == bench->figure)
        print_heads(bench);
    if (bench->form == BENCH_TABLE)
        print_row(bench, figure);
    if (bench->form == BENCH_CSV)
        print_csv(figure);
}

void report_end(const struct bench *bench)
{
    if (bench->form == BENCH_JSON)
        print_json(bench);
}

void bench_note(const struct bench *bench, const char *format, ...)
{
    char line[OUT_LINE_BYTES];
    va_list arguments;

    if (bench->form != BENCH_TABLE)
        return;
    va_start(arguments, format);
    kvsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    out_text(line);
    out_text("\n");
}
