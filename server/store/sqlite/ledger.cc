#include "store/sqlite/ledger.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "error/error.h"
#include "store/sqlite/connection.h"

namespace detente::store {
namespace {

constexpr absl::string_view kHeading =
    "# Records erased from the store beside this file. Keep it when you restore a backup: the "
    "store "
    "erases them again.\n";

}  // namespace

absl::StatusOr<std::vector<Erasure>> ReadLedger(const std::string& path) {
  std::vector<Erasure> found;
  std::ifstream file(path);
  if (!file.is_open()) {
    if (errno == ENOENT) return found;
    return FileError(path);
  }
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    Erasure erasure{line.substr(0, 64), line.size() > 65 ? line.substr(65) : ""};
    const bool fits = line.size() > 65 && line[64] == ' ' &&
                      absl::StartsWith(erasure.id, "erased-") &&
                      std::all_of(erasure.uid_hash.begin(), erasure.uid_hash.end(),
                                  [](unsigned char c) { return absl::ascii_isxdigit(c); });
    if (!fits) {
      return Error(absl::StatusCode::kFailedPrecondition, v1::STORE_UNUSABLE,
                   absl::StrCat(path, ":", number,
                                ": not a line of the ledger of erasures; restore the file, or "
                                "what was erased may be back"),
                   {{"path", path}});
    }
    found.push_back(std::move(erasure));
  }
  return found;
}

absl::Status WriteLedger(const std::string& path, absl::Span<const Erasure> erasures) {
  std::string text(kHeading);
  for (const Erasure& erasure : erasures) {
    absl::StrAppend(&text, erasure.uid_hash, " ", erasure.id, "\n");
  }
  const std::string fresh = path + ".new";
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return FileError(fresh);
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       fsync(file) == 0;
  close(file);
  if (!written || std::rename(fresh.c_str(), path.c_str()) != 0) return FileError(path);
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return FileError(folder);
  const bool synced = fsync(directory) == 0;
  close(directory);
  return synced ? absl::OkStatus() : FileError(folder);
}

}  // namespace detente::store
