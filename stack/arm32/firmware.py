# SPDX-License-Identifier: BSD-2-Clause
# SPDX-FileCopyrightText: optee-mediator contributors
"""A secure world of 64 bits that starts a hypervisor of 32 bits: what differs in OP-TEE and TF-A.

Xen for 32-bit Arm knows no GICv3, so everybody gets GICv2. Why it is a 64-bit secure world: docs/arm32.md.
"""

from __future__ import annotations

from stack import build_optee, build_tfa
from stack.edits import Edit

# Xen for 32 bits stops at a processor that it does not know, and it knows those of ARMv7 only: ours calls itself a Cortex-A15.
PROCESSOR_ID = 0x412FC0F1
_REVISION = 0xF                                 # TF-A looks a processor up without it
_TFA_PROCESSOR = 0x410FD070                     # the Cortex-A57 that QEMU's really is

_ENTERED_IN_HYP_MODE = """\
bl_mem_params->ep_info.spsr = SPSR_MODE32(MODE32_hyp, SPSR_T_ARM, SPSR_E_LITTLE, DISABLE_ALL_EXCEPTIONS);
		/* As 32-bit Linux is entered: no machine number, the device tree. */
		bl_mem_params->ep_info.args.arg0 = 0U;
		bl_mem_params->ep_info.args.arg1 = ~0U;
		bl_mem_params->ep_info.args.arg2 = ARM_PRELOADED_DTB_BASE;
		(void)qemu_get_spsr_for_bl33_entry;
"""

OPTEE = build_optee.Variant("optee-arm32", {"CFG_ARM_GICV3": "n"})
TFA = build_tfa.Variant("tfa-arm32", "QEMU_GICV2", (
    Edit("plat/qemu/common/qemu_bl2_setup.c", "bl_mem_params->ep_info.spsr = qemu_get_spsr_for_bl33_entry();\n",
         _ENTERED_IN_HYP_MODE),
    Edit("include/lib/cpus/aarch64/cortex_a57.h", f"U({_TFA_PROCESSOR:#X})".replace("0X", "0x"),
         f"U({PROCESSOR_ID & ~_REVISION:#x})"),
))
