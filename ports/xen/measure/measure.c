/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

/*
 * Counts the instructions that Xen executes for each entry into the TEE
 * mediator, whichever mediator that is. For ./bench only: one physical CPU,
 * and QEMU with -icount shift=0, where the cycle counter counts instructions.
 *
 * The counter is filtered to EL2, so neither the guest nor what is below the
 * SMC is counted. Interrupts that Xen takes in the middle are subtracted.
 * What a call is for is read from the guest's memory before and after, which
 * is not counted either.
 *
 * `xl debug-keys K` prints one line for each kind of entry, then `end`.
 */

#include <xen/init.h>
#include <xen/keyhandler.h>
#include <xen/lib.h>
#include <xen/sched.h>
#include <xen/types.h>

#include <asm/guest_access.h>
#include <asm/regs.h>
#include <asm/smccc.h>
#include <asm/system.h>
#include <asm/tee/optee_msg.h>
#include <asm/tee/optee_rpc_cmd.h>
#include <asm/tee/optee_smc.h>
#include <asm/tee/tee.h>

#include "measure.h"

/* In headers that are newer than Xen's copy. */
#define CALL_WITH_RPC_ARG 0x32000012U
#define CALL_WITH_REGD_ARG 0x32000013U

#define COMMAND_KEY 'K'
#define MOST_PARAMS 8U

/* What one entry was for. */
struct purpose
{
    uint32_t function; /* id of the SMC */
    uint32_t request;  /* command of the message, or the RPC that is answered */
    uint32_t pages;    /* of the buffers that were shared or given back */
};

/* A call that waits for the answer to an RPC. */
struct waiting
{
    domid_t domain;
    bool used;
    uint32_t handle;
    uint32_t request;
    paddr_t rpc_argument; /* that came with the call, or 0 */
};

/* Memory that has a cookie: a page for RPC arguments, or a shared buffer. */
struct named
{
    domid_t domain;
    uint64_t cookie;
    paddr_t page;
    uint32_t pages;
};

struct row
{
    struct purpose purpose;
    uint32_t answer;
    uint64_t count, sum, min, max;
};

static struct row rows[512];
static struct waiting waiting[64];
static struct named named[4096];
static unsigned int used_rows, used_named, lost;

static uint64_t overhead;  /* of reading the counter twice */
static uint64_t elsewhere; /* instructions of interrupts, softirqs since boot */

static uint64_t instructions(void)
{
    uint64_t value;

    asm volatile ( "isb; mrs %0, pmccntr_el0" : "=r" (value) :: "memory" );

    return value;
}

void measured_interrupt(struct cpu_user_regs *regs, int is_fiq)
{
    uint64_t begin = instructions();

    gic_interrupt(regs, is_fiq);
    elsewhere += instructions() - begin;
}

void measured_softirqs(void (*softirqs)(unsigned long ignored),
                       unsigned long ignored)
{
    uint64_t before = elsewhere, begin = instructions();

    softirqs(ignored);
    /* Interrupts in the middle of it are in it. */
    elsewhere = before + instructions() - begin;
}

static uint64_t pair(struct cpu_user_regs *regs, int high)
{
    return (get_user_reg(regs, high) << 32) |
           (uint32_t)get_user_reg(regs, high + 1);
}

/* A message with as many of its parameters as we look at. */
struct message
{
    struct optee_msg_arg header;
    struct optee_msg_param params[MOST_PARAMS];
};

static bool read_message(paddr_t where, struct message *message)
{
    uint32_t params;

    if ( !where || access_guest_memory_by_ipa(current->domain, where,
                                              &message->header,
                                              sizeof(message->header), false) )
        return false;
    params = min(message->header.num_params, MOST_PARAMS);

    return !params ||
           !access_guest_memory_by_ipa(current->domain,
                                       where + sizeof(message->header),
                                       message->params,
                                       params * sizeof(message->params[0]),
                                       false);
}

static uint32_t shared_pages(const struct message *message)
{
    uint32_t i, pages = 0;

    for ( i = 0; i < min(message->header.num_params, MOST_PARAMS); i++ )
    {
        const struct optee_msg_param *param = &message->params[i];
        uint64_t type = param->attr & OPTEE_MSG_ATTR_TYPE_MASK;

        if ( type < OPTEE_MSG_ATTR_TYPE_TMEM_INPUT ||
             type > OPTEE_MSG_ATTR_TYPE_TMEM_INOUT ||
             !(param->attr & OPTEE_MSG_ATTR_NONCONTIG) )
            continue;
        pages += ((param->u.tmem.buf_ptr & (PAGE_SIZE - 1)) +
                  param->u.tmem.size + PAGE_SIZE - 1) / PAGE_SIZE;
    }

    return pages;
}

static struct named *find_named(uint64_t cookie)
{
    unsigned int i;

    for ( i = 0; i < used_named; i++ )
        if ( named[i].domain == current->domain->domain_id &&
             named[i].cookie == cookie )
            return &named[i];

    return NULL;
}

static void name(uint64_t cookie, paddr_t page, uint32_t pages)
{
    struct named *place = find_named(cookie);

    if ( !place && used_named == ARRAY_SIZE(named) )
    {
        lost++;
        return;
    }
    if ( !place )
        place = &named[used_named++];
    *place = (struct named){ current->domain->domain_id, cookie, page, pages };
}

static struct waiting *find_waiting(uint32_t handle)
{
    unsigned int i;

    for ( i = 0; i < ARRAY_SIZE(waiting); i++ )
        if ( waiting[i].used && waiting[i].handle == handle &&
             waiting[i].domain == current->domain->domain_id )
            return &waiting[i];

    return NULL;
}

/* The first byte of a buffer that is registered: its list says where. */
static paddr_t first_byte(const struct optee_msg_param *param)
{
    paddr_t list = param->u.tmem.buf_ptr & ~(paddr_t)(PAGE_SIZE - 1);
    uint64_t page;

    if ( access_guest_memory_by_ipa(current->domain, list, &page,
                                    sizeof(page), false) )
        return 0;

    return page + (param->u.tmem.buf_ptr & (PAGE_SIZE - 1));
}

/* Where the message of a call is. In a registered buffer: its first page. */
static paddr_t message_of(struct cpu_user_regs *regs, uint32_t function)
{
    struct named *buffer;

    if ( function != CALL_WITH_REGD_ARG )
        return pair(regs, 1);
    buffer = find_named(pair(regs, 1));

    return buffer && buffer->page ? buffer->page + get_user_reg(regs, 3) : 0;
}

/* A call begins: what its message asks for. */
static void begin_call(struct cpu_user_regs *regs, struct purpose *purpose,
                       paddr_t *rpc_argument)
{
    paddr_t where = message_of(regs, purpose->function);
    struct message message;
    struct named *buffer;

    if ( !read_message(where, &message) )
        return;
    purpose->request = message.header.cmd;
    purpose->pages = shared_pages(&message);
    if ( purpose->function != OPTEE_SMC_CALL_WITH_ARG )
        *rpc_argument = where +
                        OPTEE_MSG_GET_ARG_SIZE(message.header.num_params);
    if ( message.header.cmd == OPTEE_MSG_CMD_REGISTER_SHM )
        name(message.params[0].u.tmem.shm_ref,
             first_byte(&message.params[0]), purpose->pages);
    if ( message.header.cmd == OPTEE_MSG_CMD_UNREGISTER_SHM )
    {
        buffer = find_named(message.params[0].u.rmem.shm_ref);
        purpose->pages = buffer ? buffer->pages : 0;
    }
}

/* A call goes on: which RPC is answered, and with how much memory. */
static void resume_call(struct cpu_user_regs *regs, struct purpose *purpose,
                        paddr_t *rpc_argument)
{
    struct waiting *call = find_waiting(get_user_reg(regs, 3));
    struct message message;

    if ( !call )
        return;
    call->used = false;
    purpose->request = call->request;
    *rpc_argument = call->rpc_argument;
    if ( (call->request & 0xff) == OPTEE_SMC_RPC_FUNC_ALLOC )
        name(pair(regs, 4), pair(regs, 1), 0);
    if ( call->request == (OPTEE_SMC_RPC_FUNC_CMD |
                           (OPTEE_RPC_CMD_SHM_ALLOC << 8)) &&
         read_message(call->rpc_argument, &message) )
        purpose->pages = shared_pages(&message);
}

/* OP-TEE asks for something: remembered until the guest answers. */
static void suspend_call(struct cpu_user_regs *regs, paddr_t rpc_argument)
{
    uint32_t request = get_user_reg(regs, 0) & 0xff;
    struct message message;
    unsigned int i;

    if ( request == OPTEE_SMC_RPC_FUNC_CMD )
    {
        struct named *page = find_named(pair(regs, 1));

        if ( !rpc_argument && page )
            rpc_argument = page->page;
        if ( read_message(rpc_argument, &message) )
            request |= (message.header.cmd & 0xff) << 8;
    }
    for ( i = 0; i < ARRAY_SIZE(waiting); i++ )
    {
        if ( waiting[i].used )
            continue;
        waiting[i] = (struct waiting){
            .domain = current->domain->domain_id,
            .used = true,
            .handle = get_user_reg(regs, 3),
            .request = request,
            .rpc_argument = rpc_argument,
        };
        return;
    }
    lost++;
}

static bool same(const struct row *row, const struct purpose *purpose,
                 uint32_t answer)
{
    return row->purpose.function == purpose->function &&
           row->purpose.request == purpose->request &&
           row->purpose.pages == purpose->pages && row->answer == answer;
}

static void count(const struct purpose *purpose, uint32_t answer,
                  uint64_t executed)
{
    unsigned int i;

    for ( i = 0; i < used_rows && !same(&rows[i], purpose, answer); i++ )
        ;
    if ( i == ARRAY_SIZE(rows) )
    {
        lost++;
        return;
    }
    if ( i == used_rows )
    {
        rows[i] = (struct row){ .purpose = *purpose, .answer = answer,
                                .min = ~0ULL };
        used_rows++;
    }
    rows[i].count++;
    rows[i].sum += executed;
    rows[i].min = min(rows[i].min, executed);
    rows[i].max = max(rows[i].max, executed);
}

bool measured_handle_call(const struct tee_mediator_ops *ops,
                          struct cpu_user_regs *regs)
{
    struct purpose purpose = { .function = get_user_reg(regs, 0),
                               .request = ~0U };
    paddr_t rpc_argument = 0;
    uint64_t begin, end, elsewhere_before;
    uint32_t answer;
    bool handled;

    if ( purpose.function == OPTEE_SMC_CALL_WITH_ARG ||
         purpose.function == CALL_WITH_RPC_ARG ||
         purpose.function == CALL_WITH_REGD_ARG )
        begin_call(regs, &purpose, &rpc_argument);
    else if ( purpose.function == OPTEE_SMC_CALL_RETURN_FROM_RPC )
        resume_call(regs, &purpose, &rpc_argument);

    elsewhere_before = elsewhere;
    begin = instructions();
    handled = ops->handle_call(regs);
    end = instructions();

    answer = get_user_reg(regs, 0);
    if ( OPTEE_SMC_RETURN_IS_RPC(answer) )
        suspend_call(regs, rpc_argument);
    else
        answer = answer ? OPTEE_SMC_RETURN_EBADCMD : OPTEE_SMC_RETURN_OK;
    count(&purpose, answer,
          end - begin - overhead - (elsewhere - elsewhere_before));

    return handled;
}

static void print(unsigned char key)
{
    unsigned int i;

    for ( i = 0; i < used_rows; i++ )
        printk("measured: function=%08x request=%x answer=%08x pages=%u "
               "count=%"PRIu64" sum=%"PRIu64" min=%"PRIu64" max=%"PRIu64"\n",
               rows[i].purpose.function, rows[i].purpose.request,
               rows[i].answer, rows[i].purpose.pages, rows[i].count,
               rows[i].sum, rows[i].min, rows[i].max);
    printk("measured: end rows=%u lost=%u\n", used_rows, lost);
    used_rows = lost = 0;
}

static int __init begin_counting(void)
{
    uint64_t begin, between, end;

    /* Non-secure EL2 only: not EL1, not EL0. All 64 bits. */
    asm volatile ( "msr pmcr_el0, xzr; isb;"
                   "msr pmccfiltr_el0, %0;"
                   "msr pmcntenset_el0, %1;"
                   "msr pmcr_el0, %2; isb"
                   :: "r" ((1UL << 31) | (1UL << 30) | (1UL << 27)),
                      "r" (1UL << 31), "r" ((1UL << 6) | (1UL << 2) | 1UL) );
    begin = instructions();
    between = instructions();
    asm volatile ( "nop; nop; nop; nop; nop; nop; nop; nop; nop; nop" );
    end = instructions();
    overhead = between - begin;
    printk("measured: begin overhead=%"PRIu64" ten=%"PRIu64"\n", overhead,
           end - between - overhead);
    register_keyhandler(COMMAND_KEY, print,
                        "print and clear instructions by TEE call", 0);

    return 0;
}
__initcall(begin_counting);

/*
 * Local variables:
 * mode: C
 * c-file-style: "BSD"
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
