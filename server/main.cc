// The process: flags, one line when ready, signals, drain.
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "api/instance.h"
#include "proto_files.h"
#include "rpc/health.h"
#include "rpc/server.h"

ABSL_FLAG(std::string, listen, "localhost:7400",
          "Where to listen: host:port (port 0 = any free one), or unix:path. There is no access "
          "control yet: name an address that "
          "other machines reach only behind a proxy that has it.");
ABSL_FLAG(std::string, store, "sqlite:detente.db",
          "Where the records are: sqlite:FILE (made if there is none), or sqlite::memory:");
ABSL_FLAG(bool, read_only, false, "Serve a store beside the process that writes it.");
ABSL_FLAG(int32_t, threads, 0, "Threads that do store work; 0 = twice the processors, at least 4.");
ABSL_FLAG(int32_t, max_waiting_calls, 1024,
          "Calls that may wait for a thread; further ones get RESOURCE_EXHAUSTED.");
ABSL_FLAG(int32_t, head_cache_mb, 256, "Memory for the newest versions of records, in MiB.");
ABSL_FLAG(int32_t, column_cache_mb, 512,
          "Memory for records as columns (ReadRows, AggregateRecords), in MiB.");
ABSL_FLAG(absl::Duration, drain, absl::Seconds(8),
          "How long calls in flight may take to end after SIGTERM or SIGINT.");
ABSL_FLAG(bool, check_health, false,
          "Start no server: ask the one at --listen whether it serves, for 3 s at most; exit with "
          "0 if it does, with 1 if not.");

namespace {

constexpr const char* kFlags[] = {
    "listen",        "store",           "read_only", "threads", "max_waiting_calls",
    "head_cache_mb", "column_cache_mb", "drain"};

// DETENTE_LISTEN sets --listen, and so on; the command line has the last word.
bool ReadEnvironment() {
  for (const char* name : kFlags) {
    std::string variable = absl::StrCat("DETENTE_", absl::AsciiStrToUpper(name));
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr) continue;
    std::string error;
    if (!absl::FindCommandLineFlag(name)->ParseFrom(value, &error)) {
      std::fprintf(stderr, "detente-server: %s=%s: %s\n", variable.c_str(), value, error.c_str());
      return false;
    }
  }
  return true;
}

// What a process ends with that its flags end: absl's parser calls exit(1) for --help and errors
// alike.
int exit_while_parsing = -1;

std::vector<char*> ParseFlags(int argc, char** argv) {
  absl::FlagsUsageConfig usage;
  usage.version_string = [] { return std::string("detente-server " DETENTE_VERSION "\n"); };
  usage.contains_help_flags = [](absl::string_view file) {
    return absl::EndsWith(file, "server/main.cc");
  };
  usage.contains_helpshort_flags = usage.contains_help_flags;
  absl::SetFlagsUsageConfig(usage);
  exit_while_parsing = 2;
  for (int i = 1; i < argc; ++i) {
    absl::string_view flag = absl::StripPrefix(argv[i], "-");
    flag = absl::StripPrefix(flag, "-");
    if (absl::StartsWith(flag, "help") || flag == "version") exit_while_parsing = 0;
  }
  std::atexit([] {
    if (exit_while_parsing < 0) return;
    std::fflush(nullptr);
    std::_Exit(exit_while_parsing);
  });
  std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  exit_while_parsing = -1;
  return rest;
}

// A connection needs a file. Shells and service managers set a low limit for programs that use
// select(), which nothing here does.
void RaiseFileLimit() {
  constexpr rlim_t kFew = 4'096;
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  }
  if (limit.rlim_cur < kFew) {
    std::fprintf(stderr,
                 "detente-server: at most %llu files may be open, fewer than %llu: connections "
                 "beyond that are closed; raise the hard limit (ulimit -Hn, LimitNOFILE=)\n",
                 static_cast<unsigned long long>(limit.rlim_cur),
                 static_cast<unsigned long long>(kFew));
  }
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "detente-server: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Serves a store of records over gRPC. Every flag can be given in a file (--flagfile), or as "
      "a variable: DETENTE_LISTEN for "
      "--listen.");
  if (!ReadEnvironment()) return 2;
  std::vector<char*> rest = ParseFlags(argc, argv);
  if (rest.size() > 1) {
    std::fprintf(stderr, "detente-server: what is `%s`? Flags begin with --; see --help\n",
                 rest[1]);
    return 2;
  }
  const std::string store = absl::GetFlag(FLAGS_store);
  absl::string_view path = store;
  if (!absl::ConsumePrefix(&path, "sqlite:") || path.empty()) {
    std::fprintf(stderr, "detente-server: --store=%s: sqlite:FILE expected\n", store.c_str());
    return 2;
  }

  // Debian's absl looks for deadlocks at every lock that gRPC takes, and aborts if it finds one.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);

  if (absl::GetFlag(FLAGS_check_health)) {
    const absl::Status health =
        detente::rpc::CheckHealth(absl::GetFlag(FLAGS_listen), absl::Seconds(3));
    return health.ok() ? 0 : Fail(health);
  }
  RaiseFileLimit();

  // Before any thread starts: all inherit the mask, so that only the waiter below gets the signals.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  detente::api::OpenOptions open;
  open.read_only = absl::GetFlag(FLAGS_read_only);
  open.create = !open.read_only;
  open.head_cache_bytes = static_cast<size_t>(std::max(0, absl::GetFlag(FLAGS_head_cache_mb)))
                          << 20;
  open.column_cache_bytes = static_cast<size_t>(std::max(0, absl::GetFlag(FLAGS_column_cache_mb)))
                            << 20;
  auto instance = detente::api::Instance::Open(path, detente::ProtoFiles(), open);
  if (!instance.ok()) return Fail(instance.status());

  detente::rpc::ServerOptions options;
  options.listen = absl::GetFlag(FLAGS_listen);
  const int threads = absl::GetFlag(FLAGS_threads);
  options.threads = threads > 0
                        ? threads
                        : std::max(4, 2 * static_cast<int>(std::thread::hardware_concurrency()));
  options.max_waiting_calls = std::max(1, absl::GetFlag(FLAGS_max_waiting_calls));
  auto server = detente::rpc::StartServer(**instance, options);
  if (!server.ok()) return Fail(server.status());
  std::printf("detente-server listening on %s\n", (*server)->address().c_str());
  std::fflush(stdout);

  int signal_number = 0;
  sigwait(&signals, &signal_number);
  (*server)->Drain(absl::GetFlag(FLAGS_drain));
  return 0;
}
