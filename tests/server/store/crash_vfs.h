// A machine that SQLite runs on and that tests may crash: files in memory, of each what was synced
// and what was only written since.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace detente::store {

// Thread-safe, as SQLite uses it from several connections. What it promises to SQLite is what the
// unix VFS does: a write leaves the bytes beside it alone (SQLITE_IOCAP_POWERSAFE_OVERWRITE), and
// is durable after xSync; a new or deleted name is durable after the directory was synced, which
// SQLite asks for with the first sync of a journal or log, and with xDelete.
class CrashVfs {
 public:
  // Registered with SQLite under name() until it goes; all connections must be closed before.
  explicit CrashVfs(uint64_t seed = 1);
  ~CrashVfs();
  CrashVfs(const CrashVfs&) = delete;

  const std::string& name() const { return name_; }

  // Writes, truncations, syncs, deletions and creations so far.
  int64_t operations() const;
  int64_t syncs() const;

  // The power goes at the n-th operation from now on (0 = the next): it fails, and so does all
  // input and output from then on, until Crash.
  void PowerOffAfter(int64_t n);
  bool powered_off() const;

  // From the n-th operation on, `count` of them fail with `code` and do nothing.
  void FailOperations(int64_t n, int64_t count, int code);
  // Reads fail too while this is set, each with SQLITE_IOERR_READ.
  void FailReads(bool fail);
  // How many operations were made to fail.
  int64_t failures() const;
  void StopFailing();

  enum class Unsynced {
    kLost,  // nothing that was not synced is there
    kTorn,  // of all that was not synced, any 512-byte sectors are there, in any combination
  };
  // What is found after the power comes back. No connection may be open.
  void Crash(Unsynced unsynced);

 private:
  struct Node;
  struct File;
  using Directory = std::map<std::string, std::shared_ptr<Node>>;
  static constexpr int64_t kNever = INT64_MAX;

  static CrashVfs& Of(sqlite3_vfs* vfs) { return *static_cast<CrashVfs*>(vfs->pAppData); }
  static int Open(sqlite3_vfs*, const char*, sqlite3_file*, int, int*);
  static int Delete(sqlite3_vfs*, const char*, int);
  static int Access(sqlite3_vfs*, const char*, int, int*);
  static int FullPathname(sqlite3_vfs*, const char*, int, char*);
  static const sqlite3_io_methods* Methods();

  // Counts an operation; the code it is to fail with, or SQLITE_OK. Under mutex_.
  int Operate();

  std::string name_;
  sqlite3_vfs vfs_{};
  mutable std::mutex mutex_;  // guards the rest
  Directory directory_;       // as it is seen
  Directory durable_;         // as it was last synced
  std::mt19937_64 random_;
  int64_t operations_ = 0;
  int64_t syncs_ = 0;
  int64_t failures_ = 0;
  int64_t power_off_at_ = kNever;
  bool powered_off_ = false;
  int64_t fail_from_ = kNever;
  int64_t fail_until_ = kNever;
  int fail_code_ = SQLITE_OK;
  bool fail_reads_ = false;
};

}  // namespace detente::store
