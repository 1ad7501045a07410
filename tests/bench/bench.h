// What the measuring programs share. They die of whatever is not as it should be.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "api/handler_table.h"
#include "api/instance.h"
#include "proto_files.h"

namespace detente::bench {

constexpr char kBatchWrite[] = "/detente.v1.RecordService/BatchWrite";

[[noreturn]] inline void Die(absl::string_view what) {
  std::cerr << what << "\n";
  std::exit(1);
}

inline void Check(bool right, absl::string_view what) {
  if (!right) Die(what);
}

// With zeros before it.
inline std::string Pad(int number, size_t digits) {
  std::string text = std::to_string(number);
  if (text.size() < digits) text.insert(0, digits - text.size(), '0');
  return text;
}

// A store of ours; made where there is none.
inline std::unique_ptr<api::Instance> Open(const std::string& path) {
  api::OpenOptions options;
  options.create = true;
  auto instance = api::Instance::Open(path, ProtoFiles(), options);
  Check(instance.ok(), instance.status().ToString());
  return *std::move(instance);
}

inline api::Bytes Call(const api::Instance& instance, const char* method,
                       absl::string_view request) {
  std::promise<absl::StatusOr<api::Bytes>> answer;
  api::CallContext context;
  context.caller = "bench";
  instance.handlers().Call(
      *instance.handlers().Find(method), request, context,
      [&](absl::StatusOr<api::Bytes> bytes) { answer.set_value(std::move(bytes)); });
  absl::StatusOr<api::Bytes> bytes = answer.get_future().get();
  Check(bytes.ok(), bytes.status().ToString());
  return *std::move(bytes);
}

// One JSON object: for each query, microseconds of each round, ours and raw.
class Report {
 public:
  // Each gives the microseconds of one round; without `raw`, as for a profile, these are 0.
  void Measure(const std::string& name, int rounds, const std::function<double()>& ours,
               const std::function<double()>& raw) {
    std::vector<double> by_us, by_raw;
    for (int round = -1; round < rounds; ++round) {  // the first warms up
      const double us = ours();
      const double them = raw ? raw() : 0;
      if (round < 0) continue;
      by_us.push_back(us);
      by_raw.push_back(them);
    }
    std::cout << separator_ << "\"" << name << "\": {\"ours\": [" << absl::StrJoin(by_us, ", ")
              << "], \"raw\": [" << absl::StrJoin(by_raw, ", ") << "]}" << std::flush;
    separator_ = ", ";
  }
  void End() { std::cout << "}\n"; }

 private:
  const char* separator_ = "{";
};

inline double Micros(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
  return spent.count();
}

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

// SQLite's own functions, with no more around them than the loop of rows.
class Database {
 public:
  explicit Database(const std::string& path) {
    Check(sqlite3_open_v2(path.c_str(), &db_,
                          SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                          nullptr) == SQLITE_OK,
          absl::StrCat("can't open ", path));
  }
  Database(const Database&) = delete;
  ~Database() { sqlite3_close_v2(db_); }

  Statement Prepare(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    Check(sqlite3_prepare_v3(db_, sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &statement,
                             nullptr) == SQLITE_OK,
          absl::StrCat(sqlite3_errmsg(db_), ": ", sql));
    return Statement(statement);
  }
  void Execute(const std::string& sql) {
    Check(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK,
          absl::StrCat(sqlite3_errmsg(db_), ": ", sql));
  }
  // All rows' first columns.
  std::vector<std::string> Texts(const std::string& sql) {
    const Statement statement = Prepare(sql);
    std::vector<std::string> texts;
    while (sqlite3_step(statement.get()) == SQLITE_ROW) {
      texts.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), 0)));
    }
    return texts;
  }

 private:
  sqlite3* db_ = nullptr;
};

}  // namespace detente::bench
