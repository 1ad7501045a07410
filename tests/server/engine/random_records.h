// Random records of any resource, and random filters over them: both draw on the same few values,
// so that filters match.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace detente::testing {

constexpr int64_t kFirstTime = 1'765'584'000'000'000;  // 2025-12-13, in microseconds

// All random things come from here.
class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}
  int Below(int end) { return static_cast<int>(random_() % static_cast<uint64_t>(end)); }
  bool OneIn(int count) { return Below(count) == 0; }
  template <typename T>
  const T& Of(const std::vector<T>& values) {
    return values[static_cast<size_t>(Below(static_cast<int>(values.size())))];
  }

 private:
  std::mt19937_64 random_;
};

// Without fields 1 to 7. Not what a server would take: nothing is required, nothing is checked.
std::unique_ptr<google::protobuf::Message> RandomRecord(Dice& dice,
                                                        const google::protobuf::Descriptor* type);

// Filters with all operators and functions.
class RandomFilter {
 public:
  RandomFilter(Dice& dice, const google::protobuf::Descriptor* type) : dice_(dice), type_(type) {}

  std::string Text(int depth);
  std::string Order();
  // A piece of a filter, cut where it may be one itself.
  std::string Part(const std::string& filter);

 private:
  using Path = std::vector<const google::protobuf::FieldDescriptor*>;

  std::string Term(int depth);
  std::string Comparison(const Path& path);
  std::string Function(int depth);
  Path RandomPath(const google::protobuf::Descriptor* type, bool repeated);

  Dice& dice_;
  const google::protobuf::Descriptor* type_;
  bool root_ = true;  // not within any()
};

}  // namespace detente::testing
