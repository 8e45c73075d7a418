#include "micro/allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

#include <malloc.h>

namespace {

thread_local std::size_t calls = 0;
std::atomic<std::size_t> live{0};

void* take(std::size_t size, std::size_t alignment = 0) {
  ++calls;
  void* const made = alignment == 0
                         ? std::malloc(size)
                         : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (made == nullptr) throw std::bad_alloc{};
  live.fetch_add(malloc_usable_size(made), std::memory_order_relaxed);
  return made;
}

void give(void* made) noexcept {
  if (made == nullptr) return;
  live.fetch_sub(malloc_usable_size(made), std::memory_order_relaxed);
  std::free(made);
}

}  // namespace

namespace shardway_bench {

std::size_t allocations() noexcept { return calls; }
std::size_t live_bytes() noexcept { return live.load(std::memory_order_relaxed); }

}  // namespace shardway_bench

void* operator new(std::size_t size) { return take(size); }
void* operator new[](std::size_t size) { return take(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return take(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return take(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* made) noexcept { give(made); }
void operator delete[](void* made) noexcept { give(made); }
void operator delete(void* made, std::size_t) noexcept { give(made); }
void operator delete[](void* made, std::size_t) noexcept { give(made); }
void operator delete(void* made, std::align_val_t) noexcept { give(made); }
void operator delete[](void* made, std::align_val_t) noexcept { give(made); }
void operator delete(void* made, std::size_t, std::align_val_t) noexcept { give(made); }
void operator delete[](void* made, std::size_t, std::align_val_t) noexcept { give(made); }
