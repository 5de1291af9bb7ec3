/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

/* port.h: the domain's pages, and pages of the mediator's own. */

#include <xen/domain_page.h>
#include <xen/lib.h>
#include <xen/mm.h>
#include <xen/param.h>
#include <xen/sched.h>

#include <asm/p2m.h>

#include <optee_mediator/port.h>

/*
 * Pages pinned under one hold of the stage-2 lock, which a vCPU that changes
 * the domain's memory waits for.
 */
#define PIN_RUN_PAGES 128U

/*
 * optee-shadow-below=<size>: shadow pages come from physical memory below this
 * address, rounded down to a power of two. For boards with memory that OP-TEE
 * was not told of. Default: no limit.
 */
static uint64_t __read_mostly opt_shadow_below;
size_param("optee-shadow-below", opt_shadow_below);

/*
 * The reference is taken while the caller holds the stage-2 lock, so that the
 * page is still what the entry said. A page that Xen shares with the domain
 * (shared info, grant table) is read-write RAM owned by the domain, too, but
 * it belongs to Xen.
 */
static bool pin_page(const struct domain *d, mfn_t mfn)
{
    struct page_info *page;

    if ( !mfn_valid(mfn) )
        return false;

    page = mfn_to_page(mfn);
    if ( !get_page(page, d) )
        return false;

    if ( is_xen_heap_page(page) )
    {
        put_page(page);
        return false;
    }

    return true;
}

/*
 * get_page_from_gfn() walks the stage-2 for each page and takes the reference
 * after it gave up the lock. Here one walk serves a whole block mapping, and
 * p2m_ram_rw is the only type that passes: read-only, foreign, grant-mapped
 * and MMIO entries have types of their own.
 */
uint32_t optee_port_pin_run(void *vm, struct optee_ipa first, uint32_t pages,
                            struct optee_pa *pa)
{
    struct domain *d = vm;
    struct p2m_domain *p2m = p2m_get_hostp2m(d);
    const gfn_t first_gfn = _gfn(first.raw >> PAGE_SHIFT);
    mfn_t first_mfn = INVALID_MFN;
    uint32_t pinned = 0;

    BUILD_BUG_ON(PAGE_SIZE != OPTEE_MEDIATOR_PAGE_BYTES);

    /* An unsigned long has fewer bits than the address on 32-bit Arm. */
    if ( ((uint64_t)gfn_x(first_gfn) << PAGE_SHIFT) != first.raw ||
         (paddr_t)first.raw != first.raw )
        return 0;

    pages = min(pages, PIN_RUN_PAGES);

    p2m_read_lock(p2m);

    while ( pinned < pages )
    {
        const gfn_t gfn = gfn_add(first_gfn, pinned);
        unsigned int order;
        unsigned long left_in_block;
        p2m_type_t type;
        mfn_t mfn;
        uint32_t end;

        /* Past the last page that there can be: do not go on at 0. */
        if ( gfn_x(gfn) < gfn_x(first_gfn) )
            break;

        mfn = p2m_get_entry(p2m, gfn, &type, NULL, &order, NULL);
        if ( type != p2m_ram_rw )
            break;

        if ( !pinned )
            first_mfn = mfn;
        else if ( !mfn_eq(mfn, mfn_add(first_mfn, pinned)) )
            break;

        left_in_block = (1UL << order) - (gfn_x(gfn) & ((1UL << order) - 1));
        end = pinned + min_t(unsigned long, left_in_block, pages - pinned);

        while ( pinned < end && pin_page(d, mfn_add(first_mfn, pinned)) )
            pinned++;
        if ( pinned < end )
            break;
    }

    p2m_read_unlock(p2m);

    if ( pinned )
        pa->raw = mfn_to_maddr(first_mfn);

    return pinned;
}

void optee_port_unpin_run(void *vm, struct optee_pa first, uint32_t pages)
{
    const mfn_t first_mfn = maddr_to_mfn(first.raw);
    uint32_t i;

    for ( i = 0; i < pages; i++ )
        put_page(mfn_to_page(mfn_add(first_mfn, i)));
}

/*
 * Xen's memcpy() goes forward and loads no byte twice, on both architectures;
 * being assembly it is not split or repeated by a compiler either. No cache
 * maintenance: OP-TEE's ABI has the guest map shared memory as normal
 * write-back memory, as Xen does.
 */
void optee_port_read_guest(void *vm, struct optee_pa pinned, uint32_t offset,
                           void *to, uint32_t bytes)
{
    const void *page = map_domain_page(maddr_to_mfn(pinned.raw));

    ASSERT(offset <= PAGE_SIZE && bytes <= PAGE_SIZE - offset);

    memcpy(to, page + offset, bytes);
    barrier();
    unmap_domain_page(page);
}

void optee_port_write_guest(void *vm, struct optee_pa pinned, uint32_t offset,
                            const void *from, uint32_t bytes)
{
    void *page = map_domain_page(maddr_to_mfn(pinned.raw));

    ASSERT(offset <= PAGE_SIZE && bytes <= PAGE_SIZE - offset);

    memcpy(page + offset, from, bytes);
    unmap_domain_page(page);
}

/*
 * The page belongs to no domain. Owned by the domain, it would be one of the
 * domain's own pages, freed with them while OP-TEE still has its address; and
 * dom0, whose memory is allocated in full, could have none at all. What a
 * domain makes Xen hold is bounded by its policy and counted by the mediator.
 */
bool optee_port_allocate_page(void *vm, struct optee_pa *page)
{
    unsigned int memflags = 0;
    struct page_info *pg;

    if ( opt_shadow_below )
        memflags = MEMF_bits(fls64(opt_shadow_below) - 1);

    pg = alloc_domheap_page(NULL, memflags);
    if ( !pg )
        return false;

    clear_domain_page(page_to_mfn(pg));
    page->raw = page_to_maddr(pg);

    return true;
}

void optee_port_free_page(void *vm, struct optee_pa page)
{
    free_domheap_page(maddr_to_page(page.raw));
}

void *optee_port_map_page(struct optee_pa page)
{
    return map_domain_page(maddr_to_mfn(page.raw));
}

void optee_port_unmap_page(void *mapped)
{
    unmap_domain_page(mapped);
}

/*
 * Local variables:
 * mode: C
 * c-file-style: "BSD"
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
