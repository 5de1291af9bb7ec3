/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

/*
 * optee-mediator-record: what passes between the mediator and OP-TEE, on Xen's
 * console, so that it can be played against another OP-TEE (or a model of it).
 *
 * The lines are read by programs: README.md says what is in them. They have
 * names of buffers that guests chose, but no address that the mediator or
 * OP-TEE uses, and no value that a guest hands to a trusted application.
 */

#include <xen/domain_page.h>
#include <xen/lib.h>
#include <xen/mm.h>
#include <xen/param.h>
#include <xen/spinlock.h>

#include "xen_port.h"

bool __read_mostly opt_record;
boolean_param("optee-mediator-record", opt_record);

/* optee_smc.h */
#define SMC_RETURN_FROM_RPC    0x32000003U
#define SMC_CALL_WITH_ARG      0x32000004U
#define SMC_CALL_WITH_RPC_ARG  0x32000012U
#define SMC_DISABLE_SHM_CACHE  0xb200000aU
#define SMC_VM_DESTROYED       0xb200000eU

#define RETURN_OK              0U
#define RETURN_UNKNOWN         0xffffffffU
#define RETURN_IS_RPC(a0)      (((a0) & 0xffff0000U) == 0xffff0000U && \
                                (a0) != RETURN_UNKNOWN)
#define RPC_ALLOC              0xffff0000U
#define RPC_FREE               0xffff0002U
#define RPC_FOREIGN_INTR       0xffff0004U
#define RPC_CMD                0xffff0005U

/* optee_msg.h */
#define CMD_OPEN_SESSION       0U
#define ATTR_TYPE(attr)        ((attr) & 0xffU)
#define ATTR_IS_VALUE(attr)    (ATTR_TYPE(attr) >= 1U && ATTR_TYPE(attr) <= 3U)
#define ATTR_IS_TMEM(attr)     (ATTR_TYPE(attr) >= 9U && ATTR_TYPE(attr) <= 11U)

struct message {
    uint32_t cmd, func, session, cancel_id, pad, ret, ret_origin, num_params;
    struct {
        uint64_t attr, a, b, c;
    } params[];
};

#define PRINTED_PARAMS         6U

/* Of one client at a time; those for which there is no room say so. */
#define RECORDED_VMS           16U
#define RECORDED_THREADS       32U
#define RECORDED_ARGUMENTS     64U

struct recorded_argument {
    uint64_t cookie;
    uint64_t page;             /* 0: nothing here */
};

struct recorded_thread {
    uint64_t message;          /* the page of the call that is suspended */
    uint64_t argument;         /* where OP-TEE has its request; 0: nowhere */
    uint32_t argument_offset;
    uint32_t asked;            /* the last RPC */
    uint32_t call;             /* number of the SMC that an interrupt cut */
    bool own_argument;         /* a call with RPC argument */
};

static struct recorded_vm {
    uint32_t client;           /* 0: free */
    uint32_t next;             /* number of the next line */
    struct recorded_thread threads[RECORDED_THREADS];
    struct recorded_argument arguments[RECORDED_ARGUMENTS];
} recorded[RECORDED_VMS];

static DEFINE_SPINLOCK(record_lock);

/* Formats into one line, which printk() then takes as a whole. */
struct line {
    char text[640];
    unsigned int used;
};

#define say(line, fmt, args...) \
    ((line)->used += scnprintf((line)->text + (line)->used, \
                               sizeof((line)->text) - (line)->used, \
                               fmt, ## args))

static void begin_line(struct line *line, struct recorded_vm *vm,
                       uint32_t *number)
{
    *number = vm->next++;
    line->used = 0;
    say(line, "d%u record %u", vm->client - 1, *number);
}

static void end_line(const struct line *line)
{
    printk(XENLOG_INFO "optee-mediator: %s\n", line->text);
}

static uint64_t joined(uint64_t high, uint64_t low)
{
    return (high << 32) | (uint32_t)low;
}

static struct recorded_vm *vm_of(uint32_t client)
{
    struct recorded_vm *vm, *unused = NULL;

    for ( vm = recorded; vm != recorded + RECORDED_VMS; vm++ )
    {
        if ( vm->client == client )
            return vm;
        if ( !vm->client && !unused )
            unused = vm;
    }

    if ( unused )
    {
        memset(unused, 0, sizeof(*unused));
        unused->client = client;
    }

    return unused;
}

static struct recorded_argument *argument_of(struct recorded_vm *vm,
                                             uint64_t cookie, bool unused)
{
    unsigned int i;

    for ( i = 0; i < RECORDED_ARGUMENTS; i++ )
        if ( unused ? !vm->arguments[i].page
                    : vm->arguments[i].page &&
                      vm->arguments[i].cookie == cookie )
            return &vm->arguments[i];

    return NULL;
}

static void forget_argument(struct recorded_vm *vm, uint64_t cookie)
{
    struct recorded_argument *argument = argument_of(vm, cookie, false);

    if ( argument )
        argument->page = 0;
}

/*
 * All values of a request of OP-TEE, since they say what it asks for. Of a
 * call's values only the UUID.
 */
static void say_params(struct line *line, const struct message *message,
                       bool is_request)
{
    uint32_t i, count = min(message->num_params, PRINTED_PARAMS);

    for ( i = 0; i < count; i++ )
    {
        uint64_t attr = message->params[i].attr, a = message->params[i].a;
        uint64_t b = message->params[i].b, c = message->params[i].c;

        say(line, " p=%#"PRIx64, attr);
        if ( ATTR_IS_VALUE(attr) )
        {
            if ( is_request || (message->cmd == CMD_OPEN_SESSION && i == 0) )
                say(line, ",%#"PRIx64",%#"PRIx64",%#"PRIx64, a, b, c);
        }
        else if ( ATTR_IS_TMEM(attr) )
        {
            /* Its address is the mediator's own: only where in the page. */
            if ( a )
                say(line, ",%#"PRIx64, a & ~PAGE_MASK);
            else
                say(line, ",null");
            say(line, ",%#"PRIx64",%#"PRIx64, b, c);
        }
        else if ( ATTR_TYPE(attr) )
            say(line, ",%#"PRIx64",%#"PRIx64",%#"PRIx64, a, b, c);
    }
    if ( message->num_params > count )
        say(line, " params=%u", message->num_params);
}

static void say_call(struct line *line, const struct message *message)
{
    say(line, " cmd=%u func=%#x session=%#x cancel=%#x", message->cmd,
        message->func, message->session, message->cancel_id);
    say_params(line, message, false);
}

static void say_result(struct line *line, const struct message *message)
{
    say(line, " ret=%#x origin=%u session=%#x", message->ret,
        message->ret_origin, message->session);
    say_params(line, message, false);
}

static void with_page(struct line *line, uint64_t page, uint32_t offset,
                      void (*what)(struct line *line,
                                   const struct message *message))
{
    void *mapped = map_domain_page(maddr_to_mfn(page));

    what(line, mapped + offset);
    unmap_domain_page(mapped);
}

static void say_request(struct line *line, const struct message *message)
{
    say(line, " cmd=%u", message->cmd);
    say_params(line, message, true);
}

static void say_answer(struct line *line, const struct message *message)
{
    say(line, " ret=%#x", message->ret);
    say_params(line, message, true);
}

static uint32_t end_of_message(uint64_t page)
{
    const struct message *message = map_domain_page(maddr_to_mfn(page));
    uint32_t bytes = sizeof(*message) +
                     message->num_params * sizeof(message->params[0]);

    unmap_domain_page(message);

    return bytes;
}

/* OP-TEE has its answer: what does it find? */
static void say_return(struct line *line, struct recorded_vm *vm,
                       struct recorded_thread *thread, const uint64_t *a)
{
    uint64_t cookie = joined(a[4], a[5]), page = joined(a[1], a[2]);
    struct recorded_argument *argument;

    say(line, " back thread=%u", (uint32_t)a[3]);

    switch ( thread->asked )
    {
    case RPC_ALLOC:
        say(line, " argument=%#"PRIx64, page ? cookie : 0);
        argument = page ? argument_of(vm, 0, true) : NULL;
        if ( argument )
        {
            argument->cookie = cookie;
            argument->page = page;
        }
        break;

    case RPC_CMD:
        if ( thread->argument )
            with_page(line, thread->argument, thread->argument_offset,
                      say_answer);
        break;
    }
}

static void say_rpc(struct line *line, struct recorded_vm *vm,
                    struct recorded_thread *thread, const uint64_t *a)
{
    uint64_t cookie = joined(a[1], a[2]);
    const struct recorded_argument *argument;

    switch ( thread->asked )
    {
    case RPC_ALLOC:
        say(line, " asks alloc thread=%u size=%#x", (uint32_t)a[3],
            (uint32_t)a[1]);
        break;

    case RPC_FREE:
        say(line, " asks free thread=%u argument=%#"PRIx64, (uint32_t)a[3],
            cookie);
        forget_argument(vm, cookie);
        break;

    case RPC_CMD:
        argument = argument_of(vm, cookie, false);
        thread->argument = 0;
        if ( thread->own_argument )
        {
            thread->argument = thread->message;
            thread->argument_offset = end_of_message(thread->message);
        }
        else if ( argument )
        {
            thread->argument = argument->page;
            thread->argument_offset = 0;
        }

        say(line, " asks cmd thread=%u argument=%#"PRIx64, (uint32_t)a[3],
            cookie);
        if ( thread->argument )
            with_page(line, thread->argument, thread->argument_offset,
                      say_request);
        break;

    default:
        say(line, " asks unknown thread=%u a0=%#x", (uint32_t)a[3],
            thread->asked);
        break;
    }
}

static struct recorded_thread *thread_of(struct recorded_vm *vm, uint64_t id)
{
    return (uint32_t)id < RECORDED_THREADS ? &vm->threads[(uint32_t)id] : NULL;
}

bool record_smc_at_work(struct recorded_smc *smc, const uint64_t *a)
{
    uint32_t function = a[0], client = a[7];
    struct recorded_thread *thread;
    struct recorded_vm *vm;
    struct line line;

    /* The hypervisor's own calls have no VM. */
    if ( !client )
        return false;

    spin_lock(&record_lock);
    vm = vm_of(client);
    *smc = (struct recorded_smc){ .client = client, .function = function };

    if ( !vm )
    {
        spin_unlock(&record_lock);
        return false;
    }

    thread = function == SMC_RETURN_FROM_RPC ? thread_of(vm, a[3]) : NULL;
    if ( thread )
    {
        smc->message = thread->message;
        smc->own_argument = thread->own_argument;
        /* A call goes on where an interrupt has cut it: nothing to say. */
        if ( thread->asked == RPC_FOREIGN_INTR )
        {
            smc->number = thread->call;
            spin_unlock(&record_lock);
            return true;
        }
    }

    begin_line(&line, vm, &smc->number);
    switch ( function )
    {
    case SMC_CALL_WITH_ARG:
    case SMC_CALL_WITH_RPC_ARG:
        smc->message = joined(a[1], a[2]);
        smc->own_argument = function == SMC_CALL_WITH_RPC_ARG;
        say(&line, " call %s", smc->own_argument ? "with_rpc_arg" : "with_arg");
        with_page(&line, smc->message, 0, say_call);
        break;

    case SMC_RETURN_FROM_RPC:
        if ( thread )
            say_return(&line, vm, thread, a);
        break;

    default:
        say(&line, " fast function=%#x", function);
        break;
    }
    spin_unlock(&record_lock);
    end_line(&line);

    return true;
}

void record_answer(const struct recorded_smc *smc, const uint64_t *a)
{
    uint32_t a0 = a[0], number;
    struct recorded_thread *thread;
    struct recorded_vm *vm;
    struct line line;
    bool yielding = smc->message;

    spin_lock(&record_lock);
    vm = vm_of(smc->client);
    thread = vm && yielding && RETURN_IS_RPC(a0) ? thread_of(vm, a[3]) : NULL;
    if ( thread )
    {
        thread->message = smc->message;
        thread->own_argument = smc->own_argument;
        thread->asked = a0;
        thread->call = smc->number;
    }

    if ( !vm || (thread && a0 == RPC_FOREIGN_INTR) )
    {
        spin_unlock(&record_lock);
        return;
    }

    begin_line(&line, vm, &number);
    say(&line, " of %u", smc->number);
    if ( thread )
        say_rpc(&line, vm, thread, a);
    else
    {
        say(&line, " ends a0=%#x", a0);
        if ( yielding && a0 == RETURN_OK )
            with_page(&line, smc->message, 0, say_result);
        if ( smc->function == SMC_DISABLE_SHM_CACHE && a0 == RETURN_OK )
        {
            say(&line, " argument=%#"PRIx64, joined(a[1], a[2]));
            forget_argument(vm, joined(a[1], a[2]));
        }
    }
    spin_unlock(&record_lock);
    end_line(&line);
}

/*
 * Local variables:
 * mode: C
 * c-file-style: "BSD"
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
