// Calls for an event loop: started, and fetched when they have ended.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "detente/client/connection.h"

namespace detente {

void BindCalls(pybind11::module_& module);

// No thread but the loop's takes the interpreter's lock: those that hear of the ends put them into
// a queue, and many are fetched at once. All methods are the loop's.
class Calls {
 public:
  explicit Calls(std::shared_ptr<Connection> connection);
  // Cancels what is under way.
  ~Calls();
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  // Readable as long as there are calls that have ended.
  int fileno() const;
  // A number by which the call is known.
  int64_t Start(absl::string_view method, absl::string_view request, const CallOptions& options);
  // It ends soon, and is among the ended as others are.
  void Cancel(int64_t call);
  // Those that have ended since it was last asked: pairs of a number and the serialized response,
  // or a CallError.
  pybind11::list Ended();

 private:
  class Queue;

  std::shared_ptr<Connection> connection_;
  const std::shared_ptr<Queue> queue_;
  int64_t last_ = 0;
  absl::flat_hash_map<int64_t, std::function<void()>> live_;  // by number, what cancels it
};

}  // namespace detente
