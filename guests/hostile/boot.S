/* SPDX-License-Identifier: BSD-2-Clause
 * SPDX-FileCopyrightText: optee-mediator contributors
 *
 * The first instructions of each vCPU. What is shared with OP-TEE and Xen is cached memory, so the MMU and the caches come
 * first, with a map that leaves every address as it is; it is part of the image, so nothing is written before.
 */

#define NORMAL 0x705                    /* block, attribute 1, inner shareable, accessed */
#define DEVICE 0x60000000000401         /* block, attribute 0, accessed, never executed */
#define MEMORY_ATTRIBUTES 0xff04        /* 0: device nGnRE; 1: normal, write back */
#define TRANSLATION 0x200803519         /* 39 bits, 4 KiB, write back, inner shareable, no TTBR1, 40-bit addresses */
#define SYSTEM_CONTROL 0x30d0180d       /* MMU, caches, stack alignment */

    /* Linux' boot protocol for arm64 (Documentation/arm64/booting.rst): what xl's domain builder loads and starts. */
    .section .head, "ax"
    .global head
head:
    b       primary
    .long   0
    .quad   image_offset
    .quad   image_bytes
    .quad   0xa                         /* little endian, 4 KiB pages */
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

primary:
    mov     x19, x0                     /* the device tree */
    bl      enable_caches
    adrp    x0, zeroed_begin
    add     x0, x0, :lo12:zeroed_begin
    adrp    x1, zeroed_end
    add     x1, x1, :lo12:zeroed_end
1:  stp     xzr, xzr, [x0], #16
    cmp     x0, x1
    b.lo    1b
    adrp    x0, stack_of_primary
    mov     sp, x0
    mov     x0, x19
    bl      guest_main
    b       .

    /* PSCI CPU_ON comes here, with its context in x0. */
    .global secondary
secondary:
    mov     x19, x0
    bl      enable_caches
    adrp    x0, stack_of_secondary
    mov     sp, x0
    mov     x0, x19
    bl      guest_secondary
    b       .

enable_caches:
    ldr     x1, =MEMORY_ATTRIBUTES
    msr     mair_el1, x1
    ldr     x1, =TRANSLATION
    msr     tcr_el1, x1
    adrp    x1, level_1
    msr     ttbr0_el1, x1
    adrp    x1, vectors
    msr     vbar_el1, x1
    ic      iallu
    tlbi    vmalle1
    dsb     sy
    isb
    ldr     x1, =SYSTEM_CONTROL
    msr     sctlr_el1, x1
    isb
    ret

    /* Nothing is expected: whatever it is, it is told and the guest ends. */
    .balign 4096
vectors:
    .rept   16
    mrs     x0, esr_el1
    mrs     x1, elr_el1
    mrs     x2, far_el1
    b       guest_died
    .balign 128
    .endr

    .section .data, "aw"
    .balign 4096
level_1:
    .quad   level_2 + 3
    .quad   0x40000000 + NORMAL         /* the guest's RAM */
    .fill   510, 8, 0
    .balign 4096
level_2:                                /* the first GiB, in blocks of 2 MiB */
    .set    block, 0
    .rept   512
    .if     block >= 0x38000000 && block < 0x3a000000
    .quad   block + NORMAL              /* grant table and the pages for console and xenstore */
    .else
    .quad   block + DEVICE
    .endif
    .set    block, block + 0x200000
    .endr

    .section .bss, "aw", %nobits
    .balign 4096
    .skip   32768
stack_of_primary:
    .skip   32768
stack_of_secondary:
