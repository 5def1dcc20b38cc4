#ifndef TASKVISOR_SUPERVISOR_RULE_BOOK_H_
#define TASKVISOR_SUPERVISOR_RULE_BOOK_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "sched/atomic.h"
#include "taskvisor/task_spec.h"

namespace taskvisor::internal {

// What a task's decisions are made by. Never changed once it is in a RuleBook.
struct RuleSet : TaskDefaults {
  enum class Kept : uint8_t {
    kInBook,  // for all
    kOnHeap,  // the task's own: there was no place in the book
    kByTask,  // an OwnRules
  };
  bool async = false;  // the body is a coroutine
  Kept kept = Kept::kInBook;
};

// RuleBook
//
// The rules of a supervisor's tasks, each different set kept once: a million tasks under
// the same rules share one set, in lines that are always in the cache.
//
// A set that is in the book stays for the life of the book, so nothing is counted. When
// the places that its hash leads to are taken by others (above some hundred different
// sets), a task gets a copy of its own, from malloc. Nor is what one task alone has, a
// deadline or a predicate, in here: see OwnRules.
//
// Progress: lock-free. Memory order: a set is visible to whom Find returns it.
class RuleBook {
 public:
  RuleBook() = default;
  ~RuleBook();
  RuleBook(const RuleBook&) = delete;
  RuleBook& operator=(const RuleBook&) = delete;

  // The set that equals `rules`, which have no deadline. To be given back with LetGo.
  [[nodiscard]] const RuleSet* Find(const TaskDefaults& rules, bool async = false);

  // REQUIRES: not kByTask.
  static void LetGo(const RuleSet* rules) {
    if (rules->kept != RuleSet::Kept::kInBook) delete rules;
  }

 private:
  static constexpr size_t kPlaces = 512;
  static constexpr size_t kTries = 8;

  const RuleSet* Search(const TaskDefaults& rules, bool async);

  std::array<Atomic<const RuleSet*>, kPlaces> sets_{};
  Atomic<const RuleSet*> last_{nullptr};  // most tasks follow one of their kind
};

}  // namespace taskvisor::internal

#endif  // TASKVISOR_SUPERVISOR_RULE_BOOK_H_
