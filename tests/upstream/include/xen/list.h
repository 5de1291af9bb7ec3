/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: optee-mediator contributors */

#pragma once

/* Doubly linked lists with a head, as far as they are used. An element that was taken out names nothing. */

#include <xen/lib.h>

struct list_head {
    struct list_head *next, *prev;
};

static inline void INIT_LIST_HEAD(struct list_head* head)
{
    head->next = head;
    head->prev = head;
}

static inline void list_add_tail(struct list_head* element, struct list_head* head)
{
    element->next = head;
    element->prev = head->prev;
    head->prev->next = element;
    head->prev = element;
}

static inline void list_del(struct list_head* element)
{
    ASSERT(element->next->prev == element);
    ASSERT(element->prev->next == element);
    element->next->prev = element->prev;
    element->prev->next = element->next;
    element->next = NULL;
    element->prev = NULL;
}

static inline bool list_empty(struct list_head const* head)
{
    return head->next == head;
}

#define list_entry(element, type, field) ((type*)((char*)(element)-offsetof(type, field)))
#define list_for_each_entry(here, head, field)                                                                       \
    for ((here) = list_entry((head)->next, typeof(*(here)), field); &(here)->field != (head);                        \
         (here) = list_entry((here)->field.next, typeof(*(here)), field))
#define list_for_each_entry_safe(here, after, head, field)                                                           \
    for ((here) = list_entry((head)->next, typeof(*(here)), field),                                                  \
        (after) = list_entry((here)->field.next, typeof(*(here)), field);                                            \
         &(here)->field != (head);                                                                                   \
         (here) = (after), (after) = list_entry((after)->field.next, typeof(*(after)), field))
