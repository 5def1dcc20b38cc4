#ifndef TASKVISOR_SUPERVISOR_WAKE_LIST_H_
#define TASKVISOR_SUPERVISOR_WAKE_LIST_H_

#include <cstdint>

#include "sched/atomic.h"
#include "sched/delays.h"
#include "taskvisor/wake_node.h"

namespace taskvisor::internal {

// WakeList
//
// Those who wait for one thing, in no order. A waiter puts its node in, then looks whether the
// thing has happened; who makes it happen calls WakeAll after that. Who waits no more takes its
// node out, and may destroy it then, whatever WakeAll is doing.
//
// Word:  | first node (pointer) : 62 | over : 1 | locked : 1 |
//
//   Add      refused once it is over
//   WakeAll  sets `over` in the step that locks first, so whoever is woken sees it; takes one node
//            out at a time, wakes it unlocked, and then says so
//   TakeOne  as WakeAll, but for who has other means to wake: one node, seen under the lock
//   Remove   if its node was taken out by WakeAll: waits until that was said
//
// The list is changed under its lock bit, held for some instructions. Who finds it locked waits, as
// a worker waits for the pins of its attempt.
//
// Memory order: what was done before WakeAll is visible to who is woken, and to who is refused.
//
// A view: the word is its owner's.
class WakeList {
 public:
  explicit WakeList(Atomic<uint64_t>& word) : word_(word) {}

  // False: it is over.
  [[nodiscard]] bool Add(WakeNode& node) {
    uint64_t word = 0;
    if (!Lock(0, /*unless=*/kOver, word)) return false;
    auto* const first = First(word);
    node.next = first;
    node.previous = nullptr;
    node.linked = true;
    node.told = false;
    if (first != nullptr) first->previous = &node;
    Unlock(&node, 0);
    return true;
  }

  // The node is in the list no more, and nobody is in its `wake`. Also if it never was in.
  void Remove(WakeNode& node) {
    while (!TryRemove(node)) YieldCore();
  }

  // Once, or more often: then for those who came before the first.
  void WakeAll() {
    WakeNode* node = nullptr;
    do {
      uint64_t word = 0;
      static_cast<void>(Lock(kOver, 0, word));
      if (node != nullptr) node->told = true;
      node = First(word);
      if (node != nullptr) Unlink(*node, word);
      Unlock(First(word), kOver);
      if (node != nullptr) node->wake(*node);  // it stays where it is until it is told
    } while (node != nullptr);
  }

  // Ends the list, and takes a node out of it; `take` sees it under the lock, for some
  // instructions. False: none is left.
  template <class Take>
  bool TakeOne(Take take) {
    uint64_t word = 0;
    static_cast<void>(Lock(kOver, 0, word));
    WakeNode* const node = First(word);
    if (node != nullptr) {
      Unlink(*node, word);
      node->told = true;
      take(*node);
    }
    Unlock(First(word), kOver);
    return node != nullptr;
  }

  // acquire: pairs with the release in WakeAll's Lock.
  [[nodiscard]] bool over() const { return (word_.load(std::memory_order_acquire) & kOver) != 0; }

  // For who has the list alone.
  void Reset() { word_.store(0, std::memory_order_relaxed); }

 private:
  static constexpr uint64_t kLocked = 1;
  static constexpr uint64_t kOver = 2;

  static WakeNode* First(uint64_t word) {
    return reinterpret_cast<WakeNode*>(word & ~(kLocked | kOver));
  }
  // `word`: as it was. False: `unless` is set. Waits while another holds the lock.
  bool Lock(uint64_t set, uint64_t unless, uint64_t& word) {
    while (true) {
      const auto locked = UpdateIf(
          word_, [=](uint64_t w) { return (w & (kLocked | unless)) == 0; },
          [=](uint64_t w) { return w | kLocked | set; });
      word = locked.seen;
      if (locked) return true;
      if ((locked.seen & unless) != 0) return false;
      YieldCore();
    }
  }
  // False: it is being woken.
  bool TryRemove(WakeNode& node) {
    uint64_t word = 0;
    static_cast<void>(Lock(0, 0, word));
    if (node.linked) {
      Unlink(node, word);
      node.told = true;
    }
    const bool told = node.told;
    Unlock(First(word), word & kOver);
    return told;
  }
  // Under the lock; `word`: as it will be.
  static void Unlink(WakeNode& node, uint64_t& word) {
    if (node.previous != nullptr) node.previous->next = node.next;
    if (node.next != nullptr) node.next->previous = node.previous;
    if (First(word) == &node) {
      word = reinterpret_cast<uint64_t>(node.next) | (word & (kLocked | kOver));
    }
    node.linked = false;
  }
  // release: pairs with the acquire of the next Lock.
  void Unlock(WakeNode* first, uint64_t over) {
    word_.store(reinterpret_cast<uint64_t>(first) | over, std::memory_order_release);
  }

  Atomic<uint64_t>& word_;
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_WAKE_LIST_H_
