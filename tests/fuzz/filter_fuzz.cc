// libFuzzer's target; run.py builds and runs it.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "filter_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string wrong = detente::query::CheckFilter(text);
  if (!wrong.empty()) {
    std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(size), text.data(), wrong.c_str());
    std::abort();
  }
  return 0;
}
