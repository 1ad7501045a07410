#include "server/store/crash_vfs.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cstring>
#include <new>
#include <set>

namespace detente::store {
namespace {

constexpr int64_t kSector = 512;  // what a disk writes whole

struct Change {
  bool truncation = false;
  int64_t offset = 0;  // of a truncation: the new size
  std::string bytes;
};

void Apply(const Change& change, std::string* data) {
  const auto offset = static_cast<size_t>(change.offset);
  if (change.truncation) {
    if (offset < data->size()) data->resize(offset);
    return;
  }
  if (data->size() < offset + change.bytes.size()) data->resize(offset + change.bytes.size());
  data->replace(offset, change.bytes.size(), change.bytes);
}

}  // namespace

struct CrashVfs::Node {
  std::string data;     // as it is seen
  std::string durable;  // as it was last synced
  std::vector<Change> unsynced;

  std::set<const File*> shared;  // SQLite's five-state lock of a file
  const File* reserved = nullptr;
  const File* pending = nullptr;
  const File* exclusive = nullptr;

  // Shared memory of the log's index: regions that stay where they are, and eight locks.
  std::vector<std::unique_ptr<char[]>> regions;
  std::array<std::set<const File*>, SQLITE_SHM_NLOCK> shm_shared;
  std::array<const File*, SQLITE_SHM_NLOCK> shm_exclusive{};
};

struct CrashVfs::File : sqlite3_file {
  CrashVfs* vfs = nullptr;
  std::shared_ptr<Node> node;
  int lock = SQLITE_LOCK_NONE;
  bool sync_directory = false;  // with the next sync: a journal or log that was made
  bool temporary = false;       // gone with its handle

  static File& Of(sqlite3_file* file) { return *static_cast<File*>(file); }

  static int Close(sqlite3_file* raw) {
    File& file = Of(raw);
    Unlock(raw, SQLITE_LOCK_NONE);
    ShmUnmap(raw, 0);
    file.~File();
    return SQLITE_OK;
  }

  static int Read(sqlite3_file* raw, void* out, int amount, sqlite3_int64 offset) {
    File& file = Of(raw);
    std::lock_guard lock(file.vfs->mutex_);
    if (file.vfs->powered_off_ || file.vfs->fail_reads_) return SQLITE_IOERR_READ;
    const std::string& data = file.node->data;
    const auto size = static_cast<int64_t>(data.size());
    const int64_t there = std::clamp<int64_t>(size - offset, 0, amount);
    if (there > 0) std::memcpy(out, data.data() + offset, static_cast<size_t>(there));
    if (there == amount) return SQLITE_OK;
    std::memset(static_cast<char*>(out) + there, 0, static_cast<size_t>(amount - there));
    return SQLITE_IOERR_SHORT_READ;
  }

  int Make(Change change, int power_off_code) {
    std::lock_guard guard(vfs->mutex_);
    const bool was_off = vfs->powered_off_;
    const int code = vfs->Operate();
    // What the disk was doing when the power went may be there, or a part of it.
    if (code != SQLITE_OK && (was_off || !vfs->powered_off_)) {
      return vfs->powered_off_ ? power_off_code : code;
    }
    Apply(change, &node->data);
    if (!temporary) node->unsynced.push_back(std::move(change));
    return code == SQLITE_OK ? SQLITE_OK : power_off_code;
  }

  static int Write(sqlite3_file* raw, const void* bytes, int amount, sqlite3_int64 offset) {
    return Of(raw).Make({false, offset, {static_cast<const char*>(bytes), size_t(amount)}},
                        SQLITE_IOERR_WRITE);
  }
  static int Truncate(sqlite3_file* raw, sqlite3_int64 size) {
    return Of(raw).Make({true, size, {}}, SQLITE_IOERR_TRUNCATE);
  }

  static int Sync(sqlite3_file* raw, int) {
    File& file = Of(raw);
    std::lock_guard lock(file.vfs->mutex_);
    if (int code = file.vfs->Operate(); code != SQLITE_OK) {
      return code == SQLITE_FULL ? SQLITE_IOERR_FSYNC : code;
    }
    ++file.vfs->syncs_;
    for (const Change& change : file.node->unsynced) Apply(change, &file.node->durable);
    file.node->unsynced.clear();
    if (file.sync_directory) file.vfs->durable_ = file.vfs->directory_;
    file.sync_directory = false;
    return SQLITE_OK;
  }

  static int FileSize(sqlite3_file* raw, sqlite3_int64* size) {
    File& file = Of(raw);
    std::lock_guard lock(file.vfs->mutex_);
    if (file.vfs->powered_off_) return SQLITE_IOERR_FSTAT;
    *size = static_cast<sqlite3_int64>(file.node->data.size());
    return SQLITE_OK;
  }

  static int Lock(sqlite3_file* raw, int level) {
    File& file = Of(raw);
    Node& node = *file.node;
    std::lock_guard guard(file.vfs->mutex_);
    if (level <= file.lock) return SQLITE_OK;
    auto others = [&](const File* holder) { return holder != nullptr && holder != &file; };
    switch (level) {
      case SQLITE_LOCK_SHARED:
        if (others(node.pending) || others(node.exclusive)) return SQLITE_BUSY;
        node.shared.insert(&file);
        break;
      case SQLITE_LOCK_RESERVED:
        if (others(node.reserved) || others(node.pending) || others(node.exclusive)) {
          return SQLITE_BUSY;
        }
        node.reserved = &file;
        break;
      default:
        if (others(node.reserved) || others(node.pending) || others(node.exclusive)) {
          return SQLITE_BUSY;
        }
        node.pending = &file;
        file.lock = SQLITE_LOCK_PENDING;
        if (node.shared.size() > node.shared.count(&file)) return SQLITE_BUSY;
        node.exclusive = &file;
        break;
    }
    file.lock = level;
    return SQLITE_OK;
  }

  static int Unlock(sqlite3_file* raw, int level) {
    File& file = Of(raw);
    Node& node = *file.node;
    std::lock_guard guard(file.vfs->mutex_);
    if (level >= file.lock) return SQLITE_OK;
    for (const File** holder : {&node.reserved, &node.pending, &node.exclusive}) {
      if (*holder == &file) *holder = nullptr;
    }
    if (level == SQLITE_LOCK_NONE) node.shared.erase(&file);
    file.lock = level;
    return SQLITE_OK;
  }

  static int CheckReservedLock(sqlite3_file* raw, int* held) {
    File& file = Of(raw);
    std::lock_guard guard(file.vfs->mutex_);
    *held = file.node->reserved != nullptr || file.node->exclusive != nullptr;
    return SQLITE_OK;
  }

  static int FileControl(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int SectorSize(sqlite3_file*) { return 4096; }
  static int DeviceCharacteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static int ShmMap(sqlite3_file* raw, int region, int size, int extend, void volatile** out) {
    File& file = Of(raw);
    std::lock_guard guard(file.vfs->mutex_);
    auto& regions = file.node->regions;
    const auto wanted = static_cast<size_t>(region) + 1;
    *out = nullptr;
    if (regions.size() < wanted && extend == 0) return SQLITE_OK;
    while (regions.size() < wanted) {
      regions.push_back(std::make_unique<char[]>(static_cast<size_t>(size)));
    }
    *out = regions[static_cast<size_t>(region)].get();
    return SQLITE_OK;
  }

  static int ShmLock(sqlite3_file* raw, int offset, int n, int flags) {
    File& file = Of(raw);
    Node& node = *file.node;
    std::lock_guard guard(file.vfs->mutex_);
    const auto first = static_cast<size_t>(offset);
    const size_t end = first + static_cast<size_t>(n);
    const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    for (size_t i = first; i < end && (flags & SQLITE_SHM_LOCK) != 0; ++i) {
      if (node.shm_exclusive[i] != nullptr && node.shm_exclusive[i] != &file) return SQLITE_BUSY;
      const auto& shared = node.shm_shared[i];
      if (exclusive && shared.size() > shared.count(&file)) return SQLITE_BUSY;
    }
    for (size_t i = first; i < end; ++i) {
      if ((flags & SQLITE_SHM_UNLOCK) != 0) {
        if (node.shm_exclusive[i] == &file) node.shm_exclusive[i] = nullptr;
        node.shm_shared[i].erase(&file);
      } else if (exclusive) {
        node.shm_exclusive[i] = &file;
      } else {
        node.shm_shared[i].insert(&file);
      }
    }
    return SQLITE_OK;
  }

  static void ShmBarrier(sqlite3_file* raw) {
    std::lock_guard guard(Of(raw).vfs->mutex_);  // orders memory, as a fence would
  }

  static int ShmUnmap(sqlite3_file* raw, int forget) {
    File& file = Of(raw);
    ShmLock(raw, 0, SQLITE_SHM_NLOCK, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    std::lock_guard guard(file.vfs->mutex_);
    if (forget != 0) file.node->regions.clear();
    return SQLITE_OK;
  }
};

const sqlite3_io_methods* CrashVfs::Methods() {
  static const sqlite3_io_methods methods = {
      2,
      File::Close,
      File::Read,
      File::Write,
      File::Truncate,
      File::Sync,
      File::FileSize,
      File::Lock,
      File::Unlock,
      File::CheckReservedLock,
      File::FileControl,
      File::SectorSize,
      File::DeviceCharacteristics,
      File::ShmMap,
      File::ShmLock,
      File::ShmBarrier,
      File::ShmUnmap,
      nullptr,
      nullptr,
  };
  return &methods;
}

CrashVfs::CrashVfs(uint64_t seed) : random_(seed) {
  static std::atomic<int> next{0};
  name_ = "crash-" + std::to_string(next++);
  const sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
  vfs_ = *system;  // its clock, its sleep and its randomness
  vfs_.szOsFile = sizeof(File);
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.pNext = nullptr;
  vfs_.xOpen = Open;
  vfs_.xDelete = Delete;
  vfs_.xAccess = Access;
  vfs_.xFullPathname = FullPathname;
  sqlite3_vfs_register(&vfs_, 0);
}

CrashVfs::~CrashVfs() { sqlite3_vfs_unregister(&vfs_); }

int CrashVfs::Operate() {
  const int64_t operation = operations_++;
  if (operation >= power_off_at_) powered_off_ = true;
  if (powered_off_) return SQLITE_IOERR;
  if (operation < fail_from_ || operation >= fail_until_) return SQLITE_OK;
  ++failures_;
  return fail_code_;
}

int CrashVfs::Open(sqlite3_vfs* raw, const char* name, sqlite3_file* out, int flags,
                   int* out_flags) {
  CrashVfs& vfs = Of(raw);
  out->pMethods = nullptr;
  std::lock_guard lock(vfs.mutex_);
  if (vfs.powered_off_) return SQLITE_CANTOPEN;
  std::shared_ptr<Node> node;
  bool made = false;
  if (name == nullptr) {
    node = std::make_shared<Node>();
  } else if (auto found = vfs.directory_.find(name); found != vfs.directory_.end()) {
    node = found->second;
  } else {
    if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
    if (vfs.Operate() != SQLITE_OK) return SQLITE_CANTOPEN;
    made = true;
    node = std::make_shared<Node>();
    vfs.directory_[name] = node;
  }
  File* file = new (out) File();
  file->pMethods = Methods();
  file->vfs = &vfs;
  file->node = std::move(node);
  file->temporary = name == nullptr;
  file->sync_directory =
      made &&
      (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL)) != 0;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int CrashVfs::Delete(sqlite3_vfs* raw, const char* name, int sync_directory) {
  CrashVfs& vfs = Of(raw);
  std::lock_guard lock(vfs.mutex_);
  if (vfs.Operate() != SQLITE_OK) return SQLITE_IOERR_DELETE;
  if (vfs.directory_.erase(name) == 0) return SQLITE_IOERR_DELETE_NOENT;
  if (sync_directory != 0) vfs.durable_ = vfs.directory_;
  return SQLITE_OK;
}

int CrashVfs::Access(sqlite3_vfs* raw, const char* name, int, int* result) {
  CrashVfs& vfs = Of(raw);
  std::lock_guard lock(vfs.mutex_);
  if (vfs.powered_off_) return SQLITE_IOERR_ACCESS;
  auto found = vfs.directory_.find(name);
  // As the unix VFS has it: an empty journal is no journal.
  *result = found != vfs.directory_.end() && !found->second->data.empty();
  return SQLITE_OK;
}

int CrashVfs::FullPathname(sqlite3_vfs*, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

int64_t CrashVfs::operations() const {
  std::lock_guard lock(mutex_);
  return operations_;
}

int64_t CrashVfs::syncs() const {
  std::lock_guard lock(mutex_);
  return syncs_;
}

int64_t CrashVfs::failures() const {
  std::lock_guard lock(mutex_);
  return failures_;
}

void CrashVfs::PowerOffAfter(int64_t n) {
  std::lock_guard lock(mutex_);
  power_off_at_ = operations_ + n;
}

bool CrashVfs::powered_off() const {
  std::lock_guard lock(mutex_);
  return powered_off_;
}

void CrashVfs::FailOperations(int64_t n, int64_t count, int code) {
  std::lock_guard lock(mutex_);
  fail_from_ = operations_ + n;
  fail_until_ = count == kNever ? kNever : fail_from_ + count;
  fail_code_ = code;
}

void CrashVfs::FailReads(bool fail) {
  std::lock_guard lock(mutex_);
  fail_reads_ = fail;
}

void CrashVfs::StopFailing() {
  std::lock_guard lock(mutex_);
  fail_from_ = fail_until_ = kNever;
  fail_reads_ = false;
}

void CrashVfs::Crash(Unsynced unsynced) {
  std::lock_guard lock(mutex_);
  power_off_at_ = kNever;
  powered_off_ = false;
  // Names first: of those that were made or deleted since the directory was synced.
  Directory found = durable_;
  if (unsynced == Unsynced::kTorn) {
    std::set<std::string> names;
    for (const auto& [name, node] : durable_) names.insert(name);
    for (const auto& [name, node] : directory_) names.insert(name);
    for (const std::string& name : names) {
      if (random_() % 2 == 0) continue;
      auto seen = directory_.find(name);
      found.erase(name);
      if (seen != directory_.end()) found.insert(*seen);
    }
  }
  // Of one crash most sectors are there, of another few.
  const uint64_t kept_of_8 = random_() % 9;
  for (auto& [name, node] : found) {
    assert(node->shared.empty() && "a connection is open");
    if (unsynced == Unsynced::kTorn) {
      for (const Change& change : node->unsynced) {
        if (change.truncation) {
          if (random_() % 8 < kept_of_8) Apply(change, &node->durable);
          continue;
        }
        const auto size = static_cast<int64_t>(change.bytes.size());
        for (int64_t at = 0; at < size;) {
          const int64_t end = std::min(size, at + kSector - (change.offset + at) % kSector);
          if (random_() % 8 < kept_of_8) {
            Apply({false, change.offset + at,
                   change.bytes.substr(static_cast<size_t>(at), static_cast<size_t>(end - at))},
                  &node->durable);
          }
          at = end;
        }
      }
    }
    auto fresh = std::make_shared<Node>();  // the shared memory is gone
    fresh->data = fresh->durable = node->durable;
    node = std::move(fresh);
  }
  directory_ = durable_ = std::move(found);
}

}  // namespace detente::store
