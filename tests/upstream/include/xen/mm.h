/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

/* Pages. A `struct page_info *` is the page's address in the simulated machine: nothing can be behind it on the host,
 * neighbours are neighbours, and whoever looks into it without mapping it is stopped. */

#include <xen/lib.h>
#include <xen/xmalloc.h>

struct page_info {
    char memory[4096];
};

typedef enum {
    p2m_invalid = SHIM_INVALID,
    p2m_ram_rw = SHIM_RAM_RW,
    p2m_ram_ro = SHIM_RAM_RO,
} p2m_type_t;

#define P2M_ALLOC 1

#define page_to_maddr(page) ((paddr_t)(uintptr_t)(page))
#define paddr_to_pfn(address) ((paddr_t)(address) >> PAGE_SHIFT)
#define pfn_to_paddr(number) ((paddr_t)(number) << PAGE_SHIFT)
#define gaddr_to_gfn(address) _gfn(paddr_to_pfn(address))
#define gfn_to_gaddr(gfn) pfn_to_paddr(gfn_x(gfn))

static inline struct page_info* get_page_from_gfn(struct domain* d,
                                                  uint64_t gfn,
                                                  p2m_type_t* type,
                                                  unsigned int query)
{
    int kind = SHIM_INVALID;
    struct page_info* page = (struct page_info*)(uintptr_t)shim_get_page(d, gfn, &kind);

    *type = (p2m_type_t)kind;
    return page;
}

#define put_page(page) shim_put_page(page_to_maddr(page))

/* Memory of no domain: Xen scrubs it when it is freed, before anybody else gets it. */
#define alloc_domheap_pages(d, order, flags) ((struct page_info*)(uintptr_t)shim_alloc_pages(order))
#define alloc_domheap_page(d, flags) alloc_domheap_pages(d, 0, flags)
#define free_domheap_pages(page, order) shim_free_pages(page_to_maddr(page), order)
#define free_domheap_page(page) free_domheap_pages(page, 0)

static inline unsigned int get_order_from_bytes(paddr_t bytes)
{
    unsigned int order = 0;

    while (((paddr_t)PAGE_SIZE << order) < bytes)
        order++;
    return order;
}
