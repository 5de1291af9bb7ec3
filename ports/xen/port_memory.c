/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

/* port.h: the domain's pages, and pages of the mediator's own. */

#include <xen/domain_page.h>
#include <xen/init.h>
#include <xen/lib.h>
#include <xen/mm.h>
#include <xen/param.h>
#include <xen/sched.h>

#include <asm/p2m.h>

#include <optee_mediator/port.h>

#include "xen_port.h"

/*
 * Pages pinned under one hold of the stage-2 lock, which a vCPU that changes
 * the domain's memory waits for.
 */
#define PIN_RUN_PAGES 128U

/*
 * optee-mediator-memory=<start>-<end>: shadow pages come from this part of
 * physical memory, for boards with memory that OP-TEE was not told of. Without
 * it they come from below 4 GiB while there is such memory: what every OP-TEE
 * knows, also one that was built for 32-bit addresses.
 */
struct window {
    paddr_t start, end;        /* end 0: nothing was said */
    bool misread;
};
static struct window __read_mostly window;

#define DEFAULT_WINDOW_BITS 32U

/*
 * Xen's allocator knows upper bounds only, and only powers of two. Pages that
 * it offers from outside the window are kept until it offers another, so many
 * times.
 */
#define WINDOW_TRIES 64U

/* A number with K, M, G or T behind it; 0x is hexadecimal. */
static paddr_t __init parse_address(const char *text, const char **end)
{
    static const char __initconst units[] = "KMGT";
    paddr_t address = simple_strtoull(text, end, 0);
    const char *unit = **end ? strchr(units, **end) : NULL;

    if ( unit )
    {
        address <<= 10 * (unit - units + 1);
        ++*end;
    }

    return address;
}

static int __init cf_check parse_window(const char *text)
{
    const char *end;

    window.misread = true;
    window.start = parse_address(text, &end);
    if ( end == text || *end != '-' )
        return -EINVAL;
    text = end + 1;
    window.end = parse_address(text, &end);
    if ( end == text || *end || !IS_ALIGNED(window.start, PAGE_SIZE) ||
         !IS_ALIGNED(window.end, PAGE_SIZE) || window.end <= window.start )
        return -EINVAL;
    window.misread = false;

    return 0;
}
custom_param("optee-mediator-memory", parse_window);

/* What OP-TEE does not know makes each call fail: better to say so at boot. */
bool __init check_memory_window(void)
{
    if ( window.misread )
        printk(XENLOG_ERR
               "optee-mediator: optee-mediator-memory= on the command line is not <start>-<end> in whole pages, no domain can use OP-TEE\n");
    else if ( window.end )
        printk(XENLOG_INFO "optee-mediator: shadow pages from %#"PRIpaddr" to %#"PRIpaddr"\n",
               window.start, window.end - 1);

    return !window.misread;
}

static bool is_in_window(const struct page_info *pg)
{
    return page_to_maddr(pg) >= window.start && page_to_maddr(pg) < window.end;
}

static struct page_info *allocate_in_window(void)
{
    PAGE_LIST_HEAD(outside);
    struct page_info *pg = NULL, *other;
    unsigned int tries;

    for ( tries = 0; tries < WINDOW_TRIES; tries++ )
    {
        pg = alloc_domheap_page(NULL, MEMF_bits(fls64(window.end - 1)));
        if ( !pg || is_in_window(pg) )
            break;
        page_list_add(pg, &outside);
        pg = NULL;
    }
    while ( (other = page_list_remove_head(&outside)) )
        free_domheap_page(other);

    /* All of them were between the end and the next power of two. */
    if ( !pg )
    {
        pg = alloc_domheap_page(NULL, MEMF_bits(fls64(window.end) - 1));
        if ( pg && !is_in_window(pg) )
        {
            free_domheap_page(pg);
            pg = NULL;
        }
    }

    return pg;
}

static struct page_info *allocate_shadow(void)
{
    struct page_info *pg;

    if ( window.end )
        return allocate_in_window();

    pg = alloc_domheap_page(NULL, MEMF_bits(DEFAULT_WINDOW_BITS));

    return pg ?: alloc_domheap_page(NULL, 0);
}

/* Where an entry of a table, or VTTBR, has an address. */
#define TABLE_ADDRESS ((1ULL << PADDR_BITS) - PAGE_SIZE)

static mfn_t mfn_of(lpae_t entry)
{
    return maddr_to_mfn(entry.bits & TABLE_ADDRESS);
}

/* How many entries from this one on, at most, name one page after the other. */
static unsigned int count_neighbours(const lpae_t *entry, unsigned int most)
{
    const mfn_t first = mfn_of(*entry);
    unsigned int pages;

    for ( pages = 1; pages < most; pages++ )
        if ( entry[pages].p2m.type != p2m_ram_rw ||
             !mfn_eq(mfn_of(entry[pages]), mfn_add(first, pages)) )
            break;

    return pages;
}

/*
 * What p2m_get_entry() does, with only what is needed here: a third of its
 * instructions, and it is the dearest thing that a call needs. p2m_ram_rw is
 * the only type that passes: read-only, foreign, grant-mapped and MMIO entries
 * have types of their own. In: how many pages are wanted. Out: how many of them
 * lie one behind the other here, be it in one block or in the table of pages.
 * The caller holds the stage-2 lock.
 */
static mfn_t look_up(struct p2m_domain *p2m, gfn_t gfn, unsigned int *pages)
{
    const unsigned long number = gfn_x(gfn);
    unsigned int shift = (3 - P2M_ROOT_LEVEL) * XEN_PT_LPAE_SHIFT;
    mfn_t mfn = maddr_to_mfn(p2m->vttbr & TABLE_ADDRESS);
    unsigned long in_block;
    lpae_t entry;

    if ( number > gfn_x(p2m->max_mapped_gfn) )
        return INVALID_MFN;

    /* Several tables of the root level lie one behind the other. */
    mfn = mfn_add(mfn, number >> (shift + XEN_PT_LPAE_SHIFT));

    for ( ; ; shift -= XEN_PT_LPAE_SHIFT )
    {
        const lpae_t *table = map_domain_page(mfn);
        const unsigned int at = (number >> shift) & (XEN_PT_LPAE_ENTRIES - 1);

        entry.bits = table[at].bits;
        if ( !shift && entry.p2m.type == p2m_ram_rw )
            *pages = count_neighbours(&table[at],
                                      min(*pages, XEN_PT_LPAE_ENTRIES - at));
        unmap_domain_page(table);

        if ( entry.p2m.type == p2m_invalid )
            return INVALID_MFN;
        if ( !shift || !entry.walk.table )
            break;
        mfn = mfn_of(entry);
    }

    if ( entry.p2m.type != p2m_ram_rw )
        return INVALID_MFN;

    in_block = number & ((1UL << shift) - 1);
    if ( shift )
        *pages = min_t(unsigned long, (1UL << shift) - in_block, *pages);

    return mfn_add(mfn_of(entry), in_block);
}

/*
 * Consecutive pages of one mapping. The references are taken while the caller
 * holds the stage-2 lock, so that the pages are still what the entry said. A
 * page that Xen shares with the domain (shared info, grant table) is read-write
 * RAM owned by the domain, too, but it belongs to Xen.
 */
static uint32_t pin_pages(const struct domain *d, mfn_t first, uint32_t pages)
{
    struct page_info *page;
    uint32_t pinned;

    /*
     * Xen knows memory by groups of 2 MiB: with both ends, all between them
     * are valid, and their page_info lie one behind the other.
     */
    BUILD_BUG_ON(PIN_RUN_PAGES > PDX_GROUP_COUNT);
    if ( !mfn_valid(first) ||
         (pages != 1 && !mfn_valid(mfn_add(first, pages - 1))) )
        return 0;

    page = mfn_to_page(first);
    for ( pinned = 0; pinned < pages; pinned++, page++ )
    {
        if ( !get_page(page, d) )
            break;
        if ( is_xen_heap_page(page) )
        {
            put_page(page);
            break;
        }
    }

    return pinned;
}

/*
 * get_page_from_gfn() walks the stage-2 for each page and takes the reference
 * after it gave up the lock. Here one walk serves a whole block mapping.
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
        unsigned int in_a_row = pages - pinned;
        uint32_t got;
        mfn_t mfn;

        /* Past the last page that there can be: do not go on at 0. */
        if ( gfn_x(gfn) < gfn_x(first_gfn) )
            break;

        mfn = look_up(p2m, gfn, &in_a_row);
        if ( mfn_eq(mfn, INVALID_MFN) )
            break;

        if ( !pinned )
            first_mfn = mfn;
        else if ( !mfn_eq(mfn, mfn_add(first_mfn, pinned)) )
            break;

        got = pin_pages(d, mfn, in_a_row);
        pinned += got;
        if ( got < in_a_row )
            break;

        /* What ends within a table has no neighbour behind it. */
        if ( (gfn_x(gfn) + got) & (XEN_PT_LPAE_ENTRIES - 1) )
            break;
    }

    p2m_read_unlock(p2m);

    if ( pinned )
        pa->raw = mfn_to_maddr(first_mfn);

    return pinned;
}

void optee_port_unpin_run(void *vm, struct optee_pa first, uint32_t pages)
{
    struct page_info *page = maddr_to_page(first.raw);

    for ( ; pages; pages--, page++ )
        put_page(page);
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
 * A page that was given back is clean, and a domain that shares memory wants
 * one again soon. From Xen's allocator it would cost a search, a page of zeros
 * and a clean of the cache, 1300 instructions. They go when the domain does.
 */
static struct page_info *take_spare_page(const struct domain *d)
{
    struct spare_pages *spare = spare_pages_of(d);
    unsigned int i;

    for ( i = 0; spare && i < ARRAY_SIZE(spare->page); i++ )
    {
        struct page_info *pg = read_atomic(&spare->page[i]);

        if ( pg && cmpxchg(&spare->page[i], pg, NULL) == pg )
            return pg;
    }

    return NULL;
}

static bool keep_spare_page(const struct domain *d, struct page_info *pg)
{
    struct spare_pages *spare = spare_pages_of(d);
    unsigned int i;

    for ( i = 0; spare && i < ARRAY_SIZE(spare->page); i++ )
        if ( !read_atomic(&spare->page[i]) &&
             !cmpxchg(&spare->page[i], NULL, pg) )
            return true;

    return false;
}

void free_spare_pages(struct domain *d)
{
    struct page_info *pg;

    while ( (pg = take_spare_page(d)) )
        free_domheap_page(pg);
}

/*
 * The page belongs to no domain. Owned by the domain, it would be one of the
 * domain's own pages, freed with them while OP-TEE still has its address; and
 * dom0, whose memory is allocated in full, could have none at all. What a
 * domain makes Xen hold is bounded by its policy and counted by the mediator.
 */
bool optee_port_allocate_page(void *vm, struct optee_pa *page)
{
    struct page_info *pg = take_spare_page(vm);

    if ( !pg )
    {
        pg = allocate_shadow();
        if ( !pg )
            return false;
        clear_domain_page(page_to_mfn(pg));
    }
    page->raw = page_to_maddr(pg);

    return true;
}

void optee_port_free_page(void *vm, struct optee_pa page)
{
    struct page_info *pg = maddr_to_page(page.raw);

    if ( !keep_spare_page(vm, pg) )
        free_domheap_page(pg);
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
