#include "calls.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "call_error.h"

namespace detente {

namespace py = pybind11;

// Thread-safe.
class Calls::Queue {
 public:
  using Ending = std::pair<int64_t, absl::StatusOr<std::string>>;

  Queue() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  ~Queue() { close(fd_); }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  int fd() const { return fd_; }

  void Add(int64_t call, absl::StatusOr<std::string> result) {
    const std::lock_guard lock(mutex_);
    endings_.emplace_back(call, std::move(result));
    if (endings_.size() == 1) eventfd_write(fd_, 1);
  }

  std::vector<Ending> Take() {
    const std::lock_guard lock(mutex_);
    eventfd_t count;
    eventfd_read(fd_, &count);
    return std::exchange(endings_, {});
  }

 private:
  const int fd_;
  std::mutex mutex_;
  std::vector<Ending> endings_;  // under mutex_
};

Calls::Calls(std::shared_ptr<Connection> connection)
    : connection_(std::move(connection)), queue_(std::make_shared<Queue>()) {}

Calls::~Calls() {
  for (const auto& [call, cancel] : live_) cancel();
  const py::gil_scoped_release release;  // the last of a connection waits for its calls
  live_.clear();
  connection_.reset();
}

int Calls::fileno() const { return queue_->fd(); }

int64_t Calls::Start(absl::string_view method, absl::string_view request,
                     const CallOptions& options) {
  const int64_t call = ++last_;
  live_[call] = connection_->Start(method, request, options,
                                   [queue = queue_, call](absl::StatusOr<std::string> result) {
                                     queue->Add(call, std::move(result));
                                   });
  return call;
}

void Calls::Cancel(int64_t call) {
  if (const auto found = live_.find(call); found != live_.end()) found->second();
}

py::list Calls::Ended() {
  py::list ended;
  for (const auto& [call, result] : queue_->Take()) {
    live_.erase(call);
    ended.append(py::make_tuple(
        call, result.ok() ? py::object(py::bytes(*result)) : CallErrorOf(result.status())));
  }
  return ended;
}

void BindCalls(py::module_& module) {
  py::class_<Calls>(module, "Calls", py::is_final(),
                    "Calls that are started, and fetched when they have ended; one thread, that of "
                    "an event loop.")
      .def("fileno", &Calls::fileno, "Readable as long as there are calls that have ended.")
      .def(
          "start",
          [](Calls& self, const std::string& method, const py::bytes& request) {
            const absl::string_view bytes(PyBytes_AS_STRING(request.ptr()),
                                          static_cast<size_t>(PyBytes_GET_SIZE(request.ptr())));
            return self.Start(method, bytes, {});
          },
          py::arg("method"), py::arg("request"),
          "Starts a call, within the connection's timeout, and returns its number.")
      .def("cancel", &Calls::Cancel, py::arg("call"), "Cancels a call, by its number.")
      .def("ended", &Calls::Ended,
           "The calls that have ended since it was last asked: the number of each, and its "
           "serialized response or a CallError.")
      .def("__repr__", [](const Calls&) { return "<detente._core.Calls>"; });
}

}  // namespace detente
