#include "sched/thread_numbers.h"

#include <pthread.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <new>
#include <optional>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "sched/index_stack.h"

namespace taskvisor::internal {

// Shared with the threads that hold numbers: they may end later than the object.
struct ThreadNumbers::Book {
  explicit Book(uint32_t max_numbers)
      : max(max_numbers), links(std::make_unique<Atomic<uint32_t>[]>(max_numbers)) {}

  [[nodiscard]] auto Link() const {
    return [this](uint32_t i) -> Atomic<uint32_t>& { return links[i]; };
  }
  std::optional<uint32_t> Take() {
    if (const auto number = free.Pop(Link()); number.has_value()) return number;
    const auto fresh = UpdateIf(
        given, [this](uint32_t n) { return n < max; }, [](uint32_t n) { return n + 1; });
    return fresh ? std::optional(fresh.seen) : std::nullopt;
  }
  void GiveBack(uint32_t number) {
    // release, in Push: hands on what its holder did; acquire in Pop.
    free.Push(number, Link());
  }

  const uint32_t max;
  const std::unique_ptr<Atomic<uint32_t>[]> links;
  IndexStack free;
  Atomic<uint32_t> given{0};
  Atomic<bool> over{false};
};

// The numbers of one thread. Made and ended by hand: a thread_local with a destructor would
// allocate in the first call of each thread, and end before the thread's other ones.
class ThreadNumbers::Held {
 public:
  // Null if the system is out of keys or memory.
  static Held* OfThisThread() {
    if (t_made) return Memory();
    static const Key key;
    if (!key.ok || pthread_setspecific(key.key, Memory()) != 0) return nullptr;
    t_made = true;
    return new (Memory()) Held();
  }

  [[nodiscard]] uint32_t Find(uint64_t object) const {
    for (const Number& held : numbers_) {
      if (held.object == object) return held.number;
    }
    return kNone;
  }

  [[nodiscard]] uint32_t Take(uint64_t object, const std::shared_ptr<Book>& book) {
    // relaxed: only to forget objects that are gone.
    const auto over = [](const Number& n) { return n.book->over.load(std::memory_order_relaxed); };
    numbers_.erase(std::remove_if(numbers_.begin(), numbers_.end(), over), numbers_.end());
    numbers_.reserve(numbers_.size() + 1);
    const std::optional<uint32_t> number = book->Take();
    if (!number.has_value()) return kNone;
    numbers_.push_back({object, *number, book});
    return *number;
  }

 private:
  struct Number {
    uint64_t object;
    uint32_t number;
    std::shared_ptr<Book> book;
  };
  // Its destructor runs when a thread that has a value for it ends.
  struct Key {
    Key() : ok(pthread_key_create(&key, [](void*) { End(); }) == 0) {}
    pthread_key_t key{};
    const bool ok;
  };

  static void End() {
    t_ended = true;
    std::fill(std::begin(t_last), std::end(t_last), Last{});
    for (const Number& held : Memory()->numbers_) held.book->GiveBack(held.number);
    Memory()->~Held();
  }
  static Held* Memory() {
    alignas(Held) static constinit thread_local unsigned char memory[sizeof(Held)] = {};
    return std::launder(reinterpret_cast<Held*>(memory));
  }

  absl::InlinedVector<Number, 4> numbers_;  // few threads use more objects than that

  static constinit thread_local bool t_made;
};

constinit thread_local bool ThreadNumbers::Held::t_made = false;

namespace {

uint64_t NextObject() {
  static Atomic<uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);  // relaxed: only a number
}

}  // namespace

ThreadNumbers::ThreadNumbers(uint32_t max)
    : id_(NextObject()), book_(std::make_shared<Book>(max)) {}

ThreadNumbers::~ThreadNumbers() { book_->over.store(true, std::memory_order_relaxed); }

uint32_t ThreadNumbers::LookUp() {
  if (t_ended) return kNone;
  try {
    Held* const held = Held::OfThisThread();
    if (held == nullptr) return kNone;
    uint32_t number = held->Find(id_);
    if (number == kNone) number = held->Take(id_, book_);
    if (number != kNone) Latest() = {id_, nullptr, number};
    return number;
  } catch (const std::exception&) {  // no memory
    return kNone;
  }
}

}  // namespace taskvisor::internal
