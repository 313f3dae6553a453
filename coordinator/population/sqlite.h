// The little of SQLite's C interface that the population needs, as owning types, and
// the one place where SQLite's error codes become absl::Status.
//
//   SQUISH_ASSIGN_OR_RETURN(auto database, Database::Open(path));
//   Query query = database->Prepare("SELECT name FROM cats WHERE legs = ?1");
//   query.Bind(4);
//   while (true) {
//     SQUISH_ASSIGN_OR_RETURN(const bool row, query.Step());
//     if (!row) break;
//     Use(query.Text(0));
//   }
//
// Values reach SQL as bound parameters only. Not thread-safe.
#ifndef SQUISH_COORDINATOR_POPULATION_SQLITE_H_
#define SQUISH_COORDINATOR_POPULATION_SQLITE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct sqlite3;
struct sqlite3_stmt;
struct sqlite3_backup;

namespace squish {

// Bytes for a BLOB column; text goes in as string_view.
struct Blob {
  absl::string_view bytes;
};

// One use of a prepared statement; resets it when destroyed.
class Query {
 public:
  ~Query();
  Query(Query&& other) noexcept;
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  Query& operator=(Query&&) = delete;

  // Binds ?1, ?2, … in order. Bytes are copied. std::nullopt and empty optionals are NULL.
  template <typename... Values>
  void Bind(const Values&... values) {
    int position = 0;
    (BindOne(++position, values), ...);
  }

  // True: there is a row. Errors as in Database::Execute.
  absl::StatusOr<bool> Step();

  // Columns of the current row, from 0; views live until the next Step.
  int64_t Integer(int column) const;
  absl::string_view Text(int column) const;
  bool IsNull(int column) const;

 private:
  friend class Database;
  Query(sqlite3* database, sqlite3_stmt* statement, absl::Status prepared);

  void BindOne(int position, int64_t value);
  void BindOne(int position, int value) { BindOne(position, int64_t{value}); }
  void BindOne(int position, bool value) { BindOne(position, int64_t{value}); }
  void BindOne(int position, absl::string_view text);
  void BindOne(int position, const std::string& text) {
    BindOne(position, absl::string_view(text));
  }
  void BindOne(int position, const char* text) { BindOne(position, absl::string_view(text)); }
  void BindOne(int position, Blob blob);
  void BindNull(int position);
  template <typename Value>
  void BindOne(int position, const std::optional<Value>& value) {
    if (value.has_value()) {
      BindOne(position, *value);
    } else {
      BindNull(position);
    }
  }
  void Keep(int code);

  sqlite3* database_;
  sqlite3_stmt* statement_;
  absl::Status failure_;  // Of preparing or binding; said by Step.
};

// A copy that is made of a database while it is in use. Destroyed early, it leaves a file
// that is no database yet.
class CopyInProgress {
 public:
  ~CopyInProgress();
  CopyInProgress(const CopyInProgress&) = delete;
  CopyInProgress& operator=(const CopyInProgress&) = delete;

  // Copies so many pages more, outside of transactions; what was written meanwhile through
  // the same connection comes along. True: the file is whole, on disk and closed. Codes of
  // Database::Execute.
  absl::StatusOr<bool> Step(int pages);

 private:
  friend class Database;
  CopyInProgress() = default;
  sqlite3* target_ = nullptr;
  sqlite3_backup* backup_ = nullptr;
};

class Database {
 public:
  // Opens or makes the file. PERMISSION_DENIED, NOT_FOUND (no such folder).
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs statements without parameters. Codes, here and in Query:
  //   ALREADY_EXISTS       a unique key is taken
  //   FAILED_PRECONDITION  a CHECK, trigger or foreign key forbids it, or another
  //                        process has the file locked
  //   RESOURCE_EXHAUSTED   disk full, or out of memory
  //   PERMISSION_DENIED    the file cannot be written
  //   DATA_LOSS            the file is damaged
  //   INVALID_ARGUMENT     the file is no SQLite database
  //   INTERNAL             anything else, I/O errors among it
  absl::Status Execute(const std::string& sql);

  // The statement `sql`, prepared once and kept.
  Query Prepare(absl::string_view sql);

  // Runs one statement with parameters, to its end.
  template <typename... Values>
  absl::Status Run(absl::string_view sql, const Values&... values) {
    Query query = Prepare(sql);
    query.Bind(values...);
    return query.Step().status();
  }

  // The first column of the first row; an error when there is no row.
  absl::StatusOr<int64_t> Number(absl::string_view sql);

  // Begins a copy into a new file at `path`. The database outlives it.
  absl::StatusOr<std::unique_ptr<CopyInProgress>> StartCopy(const std::string& path);

  // Rows changed by the last INSERT, UPDATE or DELETE.
  int64_t Changes() const;

 private:
  explicit Database(sqlite3* database) : database_(database) {}

  sqlite3* const database_;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_POPULATION_SQLITE_H_
