/* SPDX-License-Identifier: MIT */
/*
 * Doubly linked lists whose links lie inside the elements.
 *
 *          +---------------------------------------+
 *          v                                       |
 *      +------+  next  +------+  next  +------+    |       The list itself is a node without an element; an
 *      | list |------->| node |------->| node |----+       empty list points to itself.  So no operation has
 *      +------+<-------+------+<-------+------+            a special case, and an element leaves its list
 *          |     prev            prev      ^               without knowing which one it is.
 *          +-------------------------------+
 *
 * A node is in one list at a time.  A node that is in none points to itself (list_init, list_remove), which
 * list_is_empty tells: removing it again is harmless.  All operations are O(1); there is no locking.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include <lib/types.h>

struct list_node {
    struct list_node *next, *prev;
};

/* The element of type `type` whose member `member` is the node `node`. */
#define container_of(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Goes through the nodes of a list; the body must not remove `node` (see list_for_each_safe). */
#define list_for_each(node, list)                                                                            \
    for (struct list_node *node = (list)->next; node != (list); node = node->next)

/* The same where the body may remove `node`, but not the one after it. */
#define list_for_each_safe(node, list)                                                                       \
    for (struct list_node *node = (list)->next, *node##_next = node->next; node != (list);                   \
         node = node##_next, node##_next = node->next)

/* Makes an empty list, or a node that is in no list. */
static inline void list_init(struct list_node *list)
{
    list->next = list;
    list->prev = list;
}

/* True for an empty list, and for a node that is in no list. */
static inline bool list_is_empty(const struct list_node *list)
{
    return list->next == list;
}

/* Puts a node that is in no list after `place`: at the head, when `place` is the list. */
static inline void list_add_after(struct list_node *place, struct list_node *node)
{
    node->prev = place;
    node->next = place->next;
    place->next->prev = node;
    place->next = node;
}

static inline void list_add_head(struct list_node *list, struct list_node *node)
{
    list_add_after(list, node);
}

static inline void list_add_tail(struct list_node *list, struct list_node *node)
{
    list_add_after(list->prev, node);
}

/* Takes a node out of its list; it then is in none. */
static inline void list_remove(struct list_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Moves all nodes of one list to the end of another. */
static inline void list_append(struct list_node *list, struct list_node *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = list->prev;
    list->prev->next = from->next;
    from->prev->next = list;
    list->prev = from->prev;
    list_init(from);
}

/* The first, the last node of a list; NULL when it is empty. */
static inline struct list_node *list_first(const struct list_node *list)
{
    return list_is_empty(list) ? NULL : list->next;
}

static inline struct list_node *list_last(const struct list_node *list)
{
    return list_is_empty(list) ? NULL : list->prev;
}

/* Takes the first node out; NULL when the list is empty. */
static inline struct list_node *list_pop(struct list_node *list)
{
    struct list_node *node = list_first(list);

    if (node != NULL)
        list_remove(node);
    return node;
}

#endif
