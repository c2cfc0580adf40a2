/* SPDX-License-Identifier: MIT */
/* Tests of lib/list.h. */
#include "cmocka_all.h"

#include <lib/list.h>

struct element {
    int value;
    struct list_node node;
};

/* Asserts that the list holds these values, in both directions. */
static void assert_values(struct list_node *list, const int *values, int n)
{
    int i = 0;

    list_for_each(node, list)
    {
        assert_true(i < n);
        assert_int_equal(container_of(node, struct element, node)->value, values[i++]);
        assert_ptr_equal(node->next->prev, node);
        assert_ptr_equal(node->prev->next, node);
    }
    assert_int_equal(i, n);
    assert_int_equal(list_is_empty(list), n == 0);
}

static void a_new_list_is_empty(void **unused)
{
    struct list_node list;

    (void)unused;
    list_init(&list);
    assert_true(list_is_empty(&list));
    assert_null(list_first(&list));
    assert_null(list_last(&list));
    assert_null(list_pop(&list));
}

static void elements_come_in_the_order_of_the_end_they_were_added_to(void **unused)
{
    struct element e[4] = {{.value = 0}, {.value = 1}, {.value = 2}, {.value = 3}};
    struct list_node list;

    (void)unused;
    list_init(&list);
    list_add_tail(&list, &e[1].node);
    list_add_tail(&list, &e[3].node);
    list_add_head(&list, &e[0].node);
    list_add_after(&e[1].node, &e[2].node);
    assert_values(&list, (const int[]){0, 1, 2, 3}, 4);
    assert_ptr_equal(list_first(&list), &e[0].node);
    assert_ptr_equal(list_last(&list), &e[3].node);
}

static void a_removed_element_is_in_no_list_and_may_be_removed_again(void **unused)
{
    struct element e[3] = {{.value = 0}, {.value = 1}, {.value = 2}};
    struct list_node list;

    (void)unused;
    list_init(&list);
    for (int i = 0; i < 3; i++)
        list_add_tail(&list, &e[i].node);
    list_remove(&e[1].node);
    assert_true(list_is_empty(&e[1].node));
    list_remove(&e[1].node);
    assert_values(&list, (const int[]){0, 2}, 2);
    list_add_tail(&list, &e[1].node);
    assert_values(&list, (const int[]){0, 2, 1}, 3);
}

static void popping_gives_the_first_until_empty(void **unused)
{
    struct element e[2] = {{.value = 0}, {.value = 1}};
    struct list_node list;

    (void)unused;
    list_init(&list);
    list_add_tail(&list, &e[0].node);
    list_add_tail(&list, &e[1].node);
    assert_ptr_equal(list_pop(&list), &e[0].node);
    assert_ptr_equal(list_pop(&list), &e[1].node);
    assert_null(list_pop(&list));
    assert_values(&list, NULL, 0);
}

static void the_safe_walk_allows_removing_every_element(void **unused)
{
    struct element e[5] = {{.value = 0}, {.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}};
    struct list_node list;

    (void)unused;
    list_init(&list);
    for (int i = 0; i < 5; i++)
        list_add_tail(&list, &e[i].node);
    list_for_each_safe(node, &list)
    {
        if (container_of(node, struct element, node)->value % 2 == 0)
            list_remove(node);
    }
    assert_values(&list, (const int[]){1, 3}, 2);
    list_for_each_safe(node, &list) list_remove(node);
    assert_values(&list, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_list_is_empty),
        cmocka_unit_test(elements_come_in_the_order_of_the_end_they_were_added_to),
        cmocka_unit_test(a_removed_element_is_in_no_list_and_may_be_removed_again),
        cmocka_unit_test(popping_gives_the_first_until_empty),
        cmocka_unit_test(the_safe_walk_allows_removing_every_element),
    };
    return cmocka_run_group_tests_name("lib_list", tests, NULL, NULL);
}
