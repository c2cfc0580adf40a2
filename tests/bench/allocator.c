/* SPDX-License-Identifier: MIT */
/* Both sides are called through one small function each, so that neither pays more for the call. */
#include <allocator.h>
#include <process.h>

#include <mm/frame.h>
#include <mm/mm.h>

#include <stdlib.h>
#include <string.h>

#define MEMORY_BYTES (2UL << 30)

static void *tessera_take(u64 bytes)
{
    return kmalloc(bytes, 0);
}

static void tessera_give(void *object)
{
    kfree(object);
}

static void *tessera_take_block(unsigned order)
{
    phys_t first = frame_alloc(ZONE_NORMAL, order);

    return phys_is_none(first) ? NULL : phys_pointer(first);
}

static void tessera_give_block(void *block, unsigned order)
{
    frame_free(pointer_phys(block), order);
}

static void tessera_start(void)
{
    process_start(MEMORY_BYTES);
}

static void *malloc_take(u64 bytes)
{
    return malloc(bytes);
}

static void malloc_give(void *object)
{
    free(object);
}

static void *malloc_take_block(unsigned order)
{
    return aligned_alloc(PAGE_4K_SIZE, PAGE_4K_SIZE << order);
}

static void malloc_give_block(void *block, unsigned order)
{
    (void)order;
    free(block);
}

static void nothing(void)
{
}

static const struct allocator allocators[] = {
    {"tessera", tessera_take, tessera_give, tessera_take_block, tessera_give_block, tessera_start,
     process_add_thread},
    {"malloc", malloc_take, malloc_give, malloc_take_block, malloc_give_block, nothing, nothing},
};

const struct allocator *allocator_find(const char *name)
{
    for (unsigned i = 0; i < sizeof allocators / sizeof allocators[0]; i++) {
        if (strcmp(allocators[i].name, name) == 0)
            return &allocators[i];
    }
    return NULL;
}
