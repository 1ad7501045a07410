// The thread that hears of the ends of calls for which no thread waits.
#pragma once

#include <grpcpp/completion_queue.h>

#include <atomic>
#include <cstdint>
#include <thread>

namespace detente {

class Completions {
 public:
  // What is told; given to gRPC as a tag.
  class Ending {
   public:
    virtual ~Ending() = default;
    // By the thread, once; may destroy this, and must not block.
    virtual void Ended() = 0;
  };

  Completions() : thread_(&Completions::Run, this) {}
  // Nothing is under way, and nobody begins anything.
  ~Completions() {
    queue_.Shutdown();
    thread_.join();
  }
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;

  // For one call. Ended sees what was written before; gRPC sees to that too, but the thread
  // sanitizer does not see into gRPC.
  grpc::CompletionQueue* queue() {
    begun_.fetch_add(1, std::memory_order_release);
    return &queue_;
  }

 private:
  void Run() {
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) {
      begun_.load(std::memory_order_acquire);
      static_cast<Ending*>(tag)->Ended();
    }
  }

  grpc::CompletionQueue queue_;
  std::atomic<int64_t> begun_ = 0;
  std::thread thread_;
};

}  // namespace detente
