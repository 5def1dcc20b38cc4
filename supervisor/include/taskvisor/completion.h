#ifndef TASKVISOR_COMPLETION_H_
#define TASKVISOR_COMPLETION_H_

#include <atomic>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "taskvisor/awaiters.h"

namespace taskvisor {

namespace internal {

// Whether it has happened, and who waits for it: a WakeList.
class CompletionCore {
 public:
  // False: it has happened already.
  [[nodiscard]] bool Add(WakeNode& node);
  void Remove(WakeNode& node);
  // The first who gets true may write the value, then calls Finish, or GiveBack.
  [[nodiscard]] bool Claim() { return !claimed_.exchange(true, std::memory_order_acq_rel); }
  void GiveBack() { claimed_.store(false, std::memory_order_release); }
  void Finish();
  [[nodiscard]] bool finished() const;

 private:
  std::atomic<uint64_t> waiters_{0};
  std::atomic<bool> claimed_{false};
};

template <class V>
struct CompletionState : CompletionCore {
  std::optional<V> value;
};

}  // namespace internal

// Completion<T>
//
// Something that happens once, with a value, and that coroutine bodies wait for: how a body
// hears of what other threads do. A copy is the same completion; the last one frees it. It has no
// other move than that copy, so none is ever empty.
//
//   Completion<Reply> reply;                 Set once, from any thread
//   Send(request, [reply](Reply r) { reply.Set(std::move(r)); });
//   Use(co_await reply);                     in a body
//
// T that can be copied is copied out, for any number of bodies; T that can only be moved is
// moved out, by the one body that may await it.
//
// Never set: a body that waits for it is ended by its timeout or cancellation.
// Memory order: what was done before Set is visible to the body that goes on.
// Progress: Set and IsSet are lock-free, but that Set waits for a body that comes or goes just
// then (some instructions).
template <class T = void>
class Completion {
 public:
  using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

  Completion() : state_(std::make_shared<internal::CompletionState<Value>>()) {}
  Completion(const Completion&) = default;
  Completion& operator=(const Completion&) = default;

  // False: it was set before, and nothing has changed. If building the value throws it is as if
  // it had not been called.
  template <class... Args>
  requires std::constructible_from<Value, Args...>
  bool Set(Args&&... args) const {
    const auto state = state_;  // whoever is woken may drop the last copy but this
    if (!state->Claim()) return false;
    try {
      state->value.emplace(std::forward<Args>(args)...);
    } catch (...) {
      state->GiveBack();
      throw;
    }
    state->Finish();
    return true;
  }
  [[nodiscard]] bool IsSet() const { return state_->finished(); }

 private:
  template <class U>
  friend class CompletionAwaiter;

  std::shared_ptr<internal::CompletionState<Value>> state_;
};

template <class T>
class CompletionAwaiter final : public internal::ListedLeaf {
 public:
  CompletionAwaiter(internal::AsyncAttempt& the_attempt, Completion<T> completion)
      : ListedLeaf(the_attempt), state_(std::move(completion.state_)) {}
  ~CompletionAwaiter() {
    if (listed_) state_->Remove(*this);
  }

  bool Ready() override { return state_->finished(); }
  bool await_ready() { return Ready(); }
  void await_suspend(std::coroutine_handle<> point) {
    listed_ = state_->Add(*this);
    internal::SuspendAt(attempt, *this, point);
  }
  T await_resume() {
    if constexpr (std::is_void_v<T>) {
      return;
    } else if constexpr (std::copy_constructible<T>) {
      return *state_->value;
    } else {
      return *std::move(state_->value);
    }
  }

 private:
  const std::shared_ptr<internal::CompletionState<typename Completion<T>::Value>> state_;
  bool listed_ = false;
};

namespace internal {

template <class T>
CompletionAwaiter<T> MakeAwaiter(AsyncAttempt& attempt, const Completion<T>& completion) {
  return {attempt, completion};
}

}  // namespace internal

}  // namespace taskvisor

#endif  // TASKVISOR_COMPLETION_H_
