// SPDX-License-Identifier: BSD-2-Clause
// SPDX-FileCopyrightText: optee-mediator contributors

#pragma once

// The machine's RAM: frames of 4 KiB with an owner, pins and contents.
//
// Physical addresses are recognisable. There are eight banks at 0x78'a000'0000, 0x79'a000'0000, ... of 1.25 GiB
// each, so both halves of an address differ from everything that a guest of the simulator uses: IPAs stay below
// 0xa000'0000, cookies look like kernel pointers. A leak is a scan.
//
// Besides there can be one frame at address 0, as on boards whose RAM begins there: for tests that ask for it.
//
// Contents are words that are read and written atomically, so that a guest, the mediator and OP-TEE may use a page at
// the same moment, as on a real machine, without a data race in the simulator itself. A frame that nobody wrote costs
// no memory for its contents: VMs of several GiB are cheap.

#include <optee_mediator/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

namespace sim {

inline constexpr std::uint32_t page_bytes = OPTEE_MEDIATOR_PAGE_BYTES;
inline constexpr std::uint64_t page_mask = page_bytes - 1;

/// An index into something that is in the host's memory, so it fits, also where the host has 32 bits.
constexpr std::size_t to_index(std::uint64_t number)
{
    return static_cast<std::size_t>(number);
}

using Ipa = optee_ipa;
using Pa = optee_pa;

constexpr bool operator==(Ipa a, Ipa b)
{
    return a.raw == b.raw;
}

enum class FrameUse : std::uint8_t { free, guest_ram, mediator };

struct Frame {
    static constexpr std::uint32_t words = page_bytes / 4;
    using Contents = std::array<std::atomic<std::uint32_t>, words>;

    std::atomic<FrameUse> use{FrameUse::free};
    std::atomic<std::uint16_t> owner{0};             ///< index of the VM that it belongs to, or is held for
    std::atomic<bool> removed{false};                ///< taken out of its VM while pinned: freed with its last pin
    std::atomic<std::uint32_t> pins{0};              ///< taken by the mediator
    std::atomic<std::uint32_t> secure_references{0}; ///< OP-TEE may access it this many times over
    std::atomic<std::uint32_t> mapped{0};            ///< by the mediator, on any CPU
    std::atomic<Contents*> contents{nullptr};        ///< absent while every byte is zero
};

class PhysicalMemory {
public:
    static constexpr std::uint64_t banks = 8;
    static constexpr std::uint64_t first_bank = 0x78;
    static constexpr std::uint64_t bank_offset = 0xa000'0000;
    static constexpr std::uint64_t bank_frames = 0x5000'0000 / page_bytes;
    static constexpr std::uint64_t mediator_bank = banks - 1; ///< pages of the mediator come from this one

    PhysicalMemory() = default;
    ~PhysicalMemory();
    PhysicalMemory(PhysicalMemory const&) = delete;
    PhysicalMemory& operator=(PhysicalMemory const&) = delete;

    /// Sets apart `pages` frames that follow each other. Throws std::bad_alloc when the machine is full.
    Pa reserve(std::uint64_t pages);

    /// A frame for the mediator, zeroed.
    std::optional<Pa> allocate_mediator_frame(std::uint16_t vm);
    void free_mediator_frame(Pa);
    /// The mediator's next frame is the one at address 0.
    void offer_null_frame() { null_frame_is_next_ = true; }

    /// Puts a frame of reserve() to use as RAM of a VM.
    void give_to_vm(Pa, std::uint16_t vm);
    void free_frame(Pa);

    /// True for every address inside a bank, used or not.
    static bool in_a_bank(std::uint64_t address);

    /// The frame that holds the address; nullptr outside the banks or where nothing was ever used.
    Frame* frame(std::uint64_t address) const;

    /// True when a frame that somebody uses holds the address.
    bool is_used(std::uint64_t address) const;

    void read(Pa, void* to, std::size_t bytes) const; ///< within one page
    void write(Pa, void const* from, std::size_t bytes);
    bool is_zero(Pa page, std::uint32_t from_byte = 0) const;
    void fill_with_zeros(Pa page);

    /// The words of a frame in use, for somebody who maps it.
    Frame::Contents& materialised(Pa page) { return materialise(use_frame(page)); }

    std::uint64_t mediator_frames() const { return mediator_frames_.load(); }

private:
    static constexpr std::uint64_t chunk_frames = 1024;
    static constexpr std::uint64_t chunks = banks * bank_frames / chunk_frames;
    using Chunk = std::array<Frame, chunk_frames>;

    static Pa pa_of(std::uint64_t frame_index);
    static std::optional<std::uint64_t> index_of(std::uint64_t address);
    Frame& use_frame(Pa);
    static bool is_null(std::uint64_t address) { return address < page_bytes; }
    Frame::Contents& materialise(Frame&);

    mutable std::array<std::atomic<Chunk*>, chunks> chunks_{};
    mutable Frame null_frame_;
    std::atomic<bool> null_frame_is_next_{false};
    std::mutex mutex_;
    std::uint64_t next_frame_ = 16; ///< the first frames of the machine belong to firmware
    std::uint64_t next_mediator_frame_ = mediator_bank * bank_frames;
    std::array<std::uint64_t, 64> free_mediator_frames_{};
    std::size_t free_mediator_count_ = 0;
    std::atomic<std::uint64_t> mediator_frames_{0};
};

} // namespace sim
