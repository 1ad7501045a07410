// SHA-256, piece by piece or at once.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

struct evp_md_ctx_st;

namespace detente::values {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& Add(absl::string_view bytes);
  // The object is of no use after either.
  std::string Bytes();
  std::string Hex();  // lower-case digits

 private:
  evp_md_ctx_st* context_;
};

std::string Sha256Bytes(absl::string_view bytes);
std::string Sha256Hex(absl::string_view bytes);

}  // namespace detente::values
