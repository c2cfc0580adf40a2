/* SPDX-License-Identifier: MIT */
/*
 * The main program of a fuzz target without a fuzzer: runs every file of the folders that it is given.  One cmocka
 * test; it fails when a folder is not there or has no file.
 */
#include <cmocka_all.h>
#include <fuzz.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 1024

static char path[PATH_BYTES]; /* what runs now, for the message when it ends badly */
static char **folders;

static void run_file(void)
{
    FILE *file = fopen(path, "rb");
    long n_bytes;
    u8 *data;

    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    n_bytes = ftell(file);
    assert_true(n_bytes >= 0);
    rewind(file);
    data = malloc((size_t)n_bytes + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)n_bytes, file), n_bytes);
    fclose(file);
    LLVMFuzzerTestOneInput(data, (size_t)n_bytes);
    free(data);
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static unsigned run_folder(const char *folder)
{
    struct dirent **list;
    int n = scandir(folder, &list, visible, alphasort);

    if (n < 0)
        fail_msg("%s: no such folder", folder);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, list[i]->d_name);
        run_file();
        free(list[i]);
    }
    free(list);
    return (unsigned)n;
}

static void every_input_that_is_kept_is_survived(void **state)
{
    (void)state;
    for (char **folder = folders; *folder != NULL; folder++)
        if (run_folder(*folder) == 0)
            fail_msg("%s: no file", *folder);
    path[0] = '\0';
}

/* Says which file it was. */
static int name_the_culprit(void **state)
{
    (void)state;
    if (path[0] != '\0')
        print_error("the input: %s\n", path);
    return 0;
}

int main(int n_arguments, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_input_that_is_kept_is_survived, name_the_culprit),
    };

    folders = arguments + 1;
    if (n_arguments < 2) {
        fprintf(stderr, "usage: %s FOLDER...\n", arguments[0]);
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
