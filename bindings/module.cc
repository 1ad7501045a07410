// The Python module detente._core: the connections of client/ for Python, bytes in and bytes out;
// bindings/detente/ has the rest. What it keeps itself is guarded by the interpreter's lock (GIL),
// which is released around all that may block.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "dates.h"
#include "detente/client/connection.h"
#include "detente/client/fork.h"
#include "detente/client/local.h"
#include "detente/client/remote.h"
#include "error/error.h"
#include "filters.h"
#include "google/rpc/status.pb.h"

namespace detente {
namespace {

namespace py = pybind11;

// The exit waits no longer than this for calls that have been cancelled.
constexpr std::chrono::seconds kExitPatience{10};

class PyConnection;

// Never destroyed: threads may outlive the interpreter.
struct Module {
  PyObject* call_error = nullptr;
  std::unordered_set<PyConnection*> connections;
  bool exiting = false;
  // Threads that are between entering a call and having taken the GIL back; of `epoch` alone, for a
  // fork leaves only one of them.
  int in_flight = 0;
  int64_t epoch = 0;
};

Module& TheModule() {
  static auto* const module = new Module;
  return *module;
}

py::str ToText(absl::string_view text) {
  return py::reinterpret_steal<py::str>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

// Raises CallError.
[[noreturn]] void Raise(const absl::Status& status) {
  const py::handle type(TheModule().call_error);
  const py::str message = ToText(status.message());
  const py::object error = type(message);
  error.attr("code") = static_cast<int>(status.code());
  error.attr("message") = message;
  error.attr("details") = py::bytes(ToRpcStatus(status).SerializeAsString());
  PyErr_SetObject(type.ptr(), error.ptr());
  throw py::error_already_set();
}

absl::Status Exiting() { return absl::FailedPreconditionError("the interpreter is exiting"); }

absl::Duration ToDuration(double seconds) {
  if (std::isnan(seconds)) throw py::value_error("timeout: a number of seconds expected, got nan");
  return absl::Seconds(seconds);
}

// Holds off the interpreter's exit, which would end a thread in the middle of taking the GIL back,
// and with it the whole process. Stands outside the release of the GIL.
class InFlight {
 public:
  InFlight() {
    Module& module = TheModule();
    if (module.exiting) Raise(Exiting());
    if (module.epoch != ForkEpoch()) {
      module.epoch = ForkEpoch();
      module.in_flight = 0;
    }
    ++module.in_flight;
  }
  ~InFlight() {
    Module& module = TheModule();
    if (module.epoch == epoch_) --module.in_flight;
  }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  const int64_t epoch_ = ForkEpoch();
};

// What a call made by Python is given: a look at Python's signals while it waits, where that is
// this thread's to do.
class Signals {
 public:
  explicit Signals(unsigned long main_thread)  // NOLINT(google-runtime-int): as Python has it
      : main_thread_(main_thread) {}

  // Options of the same call, by which Ctrl-C ends it.
  void Watch(CallOptions* options) {
    options->cancelled = [this] {
      // Python runs signal handlers in the main thread alone.
      if (PyThread_get_thread_ident() != main_thread_) return false;
      const py::gil_scoped_acquire acquire;
      if (PyErr_CheckSignals() == 0) return false;
      raised_.emplace();
      return true;
    };
  }
  // With the GIL: raises what a signal handler has raised.
  void Rethrow() {
    if (!raised_.has_value()) return;
    const py::error_already_set raised = *std::exchange(raised_, std::nullopt);
    throw py::error_already_set(raised);
  }
  // Whether there is anything to watch.
  bool mine() const { return PyThread_get_thread_ident() == main_thread_; }

 private:
  const unsigned long main_thread_;  // NOLINT(google-runtime-int)
  std::optional<py::error_already_set> raised_;
};

// A message of a stream, seen through Python's buffer protocol.
struct PyMessage {
  std::string bytes;
};

class PyStream {
 public:
  PyStream(std::unique_ptr<Signals> signals, std::unique_ptr<MessageStream> stream)
      : signals_(std::move(signals)), stream_(std::move(stream)) {}

  ~PyStream() {
    if (TheModule().exiting) return;  // dropped by the connection's close
    Close();
  }

  std::unique_ptr<PyMessage> Next() {
    if (stream_ == nullptr) throw py::stop_iteration();
    if (busy_) throw std::runtime_error("another thread is reading this stream");
    busy_ = true;
    absl::StatusOr<std::optional<std::string>> next;
    {
      const InFlight in_flight;
      const py::gil_scoped_release release;
      next = stream_->Next();
    }
    busy_ = false;
    signals_->Rethrow();
    if (!next.ok()) Raise(next.status());
    if (!next->has_value()) {
      Close();
      throw py::stop_iteration();
    }
    return std::make_unique<PyMessage>(PyMessage{**std::move(next)});
  }

  void Close() {
    if (stream_ == nullptr || busy_) return;
    std::unique_ptr<MessageStream> stream = std::move(stream_);
    const InFlight in_flight;
    const py::gil_scoped_release release;
    stream.reset();
  }

 private:
  std::unique_ptr<Signals> signals_;  // outlives the stream, whose options point to it
  std::unique_ptr<MessageStream> stream_;
  bool busy_ = false;  // under the GIL
};

// Messages both ways.
class PyExchange {
 public:
  PyExchange(std::unique_ptr<Signals> signals, std::unique_ptr<MessageExchange> exchange)
      : signals_(std::move(signals)), exchange_(std::move(exchange)) {}

  ~PyExchange() {
    if (TheModule().exiting) return;  // dropped by the connection's close
    Close();
  }

  bool Send(const py::buffer& message) {
    const py::buffer_info info = message.request();
    const absl::string_view bytes(static_cast<const char*>(info.ptr),
                                  static_cast<size_t>(info.size * info.itemsize));
    return Do([&] { return exchange_->Send(bytes); });
  }

  void Finish() {
    Do([&]() -> absl::StatusOr<bool> {
      if (absl::Status status = exchange_->Finish(); !status.ok()) return status;
      return true;
    });
  }

  std::optional<py::bytes> Next() {
    const std::optional<std::string> next = Do([&] { return exchange_->Next(); });
    if (next.has_value()) return py::bytes(*next);
    Close();
    return std::nullopt;
  }

  void Close() {
    if (exchange_ == nullptr || busy_) return;
    std::unique_ptr<MessageExchange> exchange = std::move(exchange_);
    const InFlight in_flight;
    const py::gil_scoped_release release;
    exchange.reset();
  }

 private:
  template <typename F>
  typename std::invoke_result_t<F>::value_type Do(const F& what) {
    if (exchange_ == nullptr) Raise(absl::FailedPreconditionError("the stream has ended"));
    if (busy_) throw std::runtime_error("another thread is using this stream");
    busy_ = true;
    std::invoke_result_t<F> result;
    {
      const InFlight in_flight;
      const py::gil_scoped_release release;
      result = what();
    }
    busy_ = false;
    signals_->Rethrow();
    if (!result.ok()) Raise(result.status());
    return *std::move(result);
  }

  std::unique_ptr<Signals> signals_;  // outlives the exchange, whose options point to it
  std::unique_ptr<MessageExchange> exchange_;
  bool busy_ = false;  // under the GIL
};

class PyConnection {
 public:
  explicit PyConnection(std::unique_ptr<Connection> connection)
      : connection_(std::move(connection)),
        main_thread_(py::module_::import("threading")
                         .attr("main_thread")()
                         .attr("ident")
                         .cast<unsigned long>()) {  // NOLINT(google-runtime-int)
    TheModule().connections.insert(this);
  }

  ~PyConnection() {
    TheModule().connections.erase(this);
    if (TheModule().exiting) return;  // closed, and nothing waits
    const InFlight in_flight;
    const py::gil_scoped_release release;
    connection_.reset();
  }

  py::bytes Call(const py::str& method, const py::bytes& request, std::optional<double> timeout) {
    CallOptions options = OptionsOf(timeout);
    Signals signals(main_thread_);
    if (signals.mine()) signals.Watch(&options);
    const absl::string_view path = Utf8(method);
    const absl::string_view bytes = BytesOf(request);
    const std::shared_ptr<Connection> connection = connection_;
    absl::StatusOr<std::string> response;
    {
      const InFlight in_flight;
      const py::gil_scoped_release release;
      response = connection->Call(path, bytes, options);
    }
    signals.Rethrow();
    if (!response.ok()) Raise(response.status());
    return py::bytes(*response);
  }

  std::unique_ptr<PyStream> Stream(const py::str& method, const py::bytes& request,
                                   std::optional<double> timeout) {
    CallOptions options = OptionsOf(timeout);
    auto signals = std::make_unique<Signals>(main_thread_);
    signals->Watch(&options);
    const absl::string_view path = Utf8(method);
    const absl::string_view bytes = BytesOf(request);
    const std::shared_ptr<Connection> connection = connection_;
    absl::StatusOr<std::unique_ptr<MessageStream>> stream;
    {
      const InFlight in_flight;
      const py::gil_scoped_release release;
      stream = connection->Stream(path, bytes, options);
    }
    signals->Rethrow();
    if (!stream.ok()) Raise(stream.status());
    return std::make_unique<PyStream>(std::move(signals), *std::move(stream));
  }

  std::unique_ptr<PyExchange> Exchange(const py::str& method, std::optional<double> timeout) {
    CallOptions options = OptionsOf(timeout);
    auto signals = std::make_unique<Signals>(main_thread_);
    signals->Watch(&options);
    const absl::string_view path = Utf8(method);
    const std::shared_ptr<Connection> connection = connection_;
    absl::StatusOr<std::unique_ptr<MessageExchange>> exchange;
    {
      const InFlight in_flight;
      const py::gil_scoped_release release;
      exchange = connection->Exchange(path, options);
    }
    signals->Rethrow();
    if (!exchange.ok()) Raise(exchange.status());
    return std::make_unique<PyExchange>(std::move(signals), *std::move(exchange));
  }

  void Close() {
    closed_ = true;
    if (TheModule().exiting) return;
    const InFlight in_flight;
    const py::gil_scoped_release release;
    connection_->Close();
  }

  py::str Target() const { return ToText(connection_->Target()); }
  bool closed() const { return closed_ || TheModule().exiting; }
  const std::shared_ptr<Connection>& connection() const { return connection_; }

 private:
  static CallOptions OptionsOf(std::optional<double> timeout) {
    CallOptions options;
    if (timeout.has_value()) options.timeout = ToDuration(*timeout);
    return options;
  }

  static absl::string_view BytesOf(const py::bytes& bytes) {
    return {PyBytes_AS_STRING(bytes.ptr()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.ptr()))};
  }

  static absl::string_view Utf8(const py::str& text) {
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
    if (data == nullptr) throw py::error_already_set();
    return {data, static_cast<size_t>(size)};
  }

  std::shared_ptr<Connection> connection_;
  const unsigned long main_thread_;  // NOLINT(google-runtime-int): as Python has it
  bool closed_ = false;
};

// The interpreter's exit: the threads that are in calls leave them while it can still let them.
void CloseAll() {
  Module& module = TheModule();
  module.exiting = true;
  std::vector<std::shared_ptr<Connection>> connections;
  connections.reserve(module.connections.size());
  for (const PyConnection* connection : module.connections) {
    connections.push_back(connection->connection());
  }
  {
    const py::gil_scoped_release release;
    for (const auto& connection : connections) connection->Close();
    connections.clear();
  }
  const auto until = std::chrono::steady_clock::now() + kExitPatience;
  while (module.epoch == ForkEpoch() && module.in_flight > 0 &&
         std::chrono::steady_clock::now() < until) {
    const py::gil_scoped_release release;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

template <typename F>
std::unique_ptr<PyConnection> NewConnection(const F& make) {
  absl::StatusOr<std::unique_ptr<Connection>> connection;
  {
    const InFlight in_flight;
    const py::gil_scoped_release release;
    connection = make();
  }
  if (!connection.ok()) Raise(connection.status());
  if (TheModule().exiting) {  // CloseAll did not see it
    connection->reset();
    Raise(Exiting());
  }
  return std::make_unique<PyConnection>(*std::move(connection));
}

std::unique_ptr<PyConnection> PyConnect(const std::string& target,
                                        const std::optional<std::string>& token,
                                        const std::string& actor,
                                        const std::optional<std::string>& ca_cert,
                                        std::optional<bool> tls, double timeout) {
  ConnectOptions options;
  options.token = token.value_or("");
  options.actor = actor;
  options.ca_cert = ca_cert.value_or("");
  if (tls.has_value()) options.tls = *tls ? Tls::kOn : Tls::kOff;
  options.timeout = ToDuration(timeout);
  return NewConnection([&] { return Connect(target, options); });
}

std::unique_ptr<PyConnection> PyOpen(const std::string& path, bool create, bool read_only,
                                     const std::string& actor) {
  OpenOptions options;
  options.create = create;
  options.read_only = read_only;
  options.actor = actor;
  return NewConnection([&] { return Open(path, options); });
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "Connections to records: bytes in, bytes out.";
  TheModule().call_error = PyErr_NewExceptionWithDoc(
      "detente._core.CallError",
      "A call failed: its gRPC code, its message, and the serialized google.rpc.Status.", nullptr,
      nullptr);
  if (TheModule().call_error == nullptr) throw py::error_already_set();
  m.attr("CallError") = py::handle(TheModule().call_error);

  py::class_<PyConnection>(m, "Connection", py::is_final(),
                           "A server or an open store; any thread may call. After os.fork() it "
                           "fails in the child.")
      .def("call", &PyConnection::Call, py::arg("method"), py::arg("request"),
           py::arg("timeout") = py::none(),
           "Calls a method, by its path, with a serialized request, and returns the serialized "
           "response. timeout in seconds; None is the connection's own.")
      .def("stream", &PyConnection::Stream, py::arg("method"), py::arg("request"),
           py::arg("timeout") = py::none(),
           "Opens a method that streams its response, and returns an iterator over the serialized "
           "messages. timeout in seconds, of the whole stream; None is none.")
      .def("exchange", &PyConnection::Exchange, py::arg("method"), py::arg("timeout") = py::none(),
           "Opens a method that streams both ways. timeout in seconds, of the whole; None is none.")
      .def("close", &PyConnection::Close, "Ends the calls of other threads, and the connection.")
      .def_property_readonly("target", &PyConnection::Target)
      .def_property_readonly("closed", &PyConnection::closed)
      .def("__repr__", [](const PyConnection& self) {
        return py::str("<detente._core.Connection {!r}{}>")
            .format(self.Target(), self.closed() ? ", closed" : "");
      });
  py::class_<PyMessage>(m, "Message", py::buffer_protocol(), py::is_final(),
                        "A serialized message; a read-only buffer.")
      .def_buffer([](PyMessage& self) {
        return py::buffer_info(reinterpret_cast<const uint8_t*>(self.bytes.data()),
                               static_cast<py::ssize_t>(self.bytes.size()));
      })
      .def("__len__", [](const PyMessage& self) { return self.bytes.size(); })
      .def("__repr__", [](const PyMessage& self) {
        return py::str("<detente._core.Message of {} bytes>").format(self.bytes.size());
      });
  py::class_<PyStream>(m, "Stream", py::is_final(),
                       "The messages of a stream, each as it comes; one thread at a time.")
      .def("__iter__", [](py::object self) { return self; })
      .def("__next__", &PyStream::Next)
      .def("close", &PyStream::Close, "Ends it, where it has not ended.")
      .def("__repr__", [](const PyStream&) { return "<detente._core.Stream>"; });
  py::class_<PyExchange>(m, "Exchange", py::is_final(), "Messages both ways; one thread at a time.")
      .def("send", &PyExchange::Send, py::arg("message"),
           "Sends a serialized message; waits while the server takes no more. False: the call is "
           "over, and next() raises why.")
      .def("finish", &PyExchange::Finish, "Says that no more will be sent.")
      .def("next", &PyExchange::Next,
           "The next serialized answer; None where the server has answered all and is done.")
      .def("close", &PyExchange::Close, "Ends it, where it has not ended.")
      .def("__repr__", [](const PyExchange&) { return "<detente._core.Exchange>"; });
  m.def("connect", &PyConnect, py::arg("target"), py::kw_only(), py::arg("token") = py::none(),
        py::arg("actor") = "", py::arg("ca_cert") = py::none(), py::arg("tls") = py::none(),
        py::arg("timeout") = 30.0,
        "Connects to the server at host:port, at the first call. ca_cert is the path of a PEM "
        "file; tls None means on, but for loopback addresses; timeout is that of calls, in "
        "seconds.");
  m.def("open", &PyOpen, py::arg("path"), py::kw_only(), py::arg("create") = false,
        py::arg("read_only") = false, py::arg("actor") = "",
        "Opens a store, a file or :memory:, in this process.");
  BindDates(m);
  BindFilters(m);
  py::module_::import("atexit").attr("register")(py::cpp_function(&CloseAll));
}

}  // namespace detente
