#include "coordinator/population/sqlite.h"

#include <sqlite3.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

absl::StatusCode CodeOf(int extended) {
  switch (extended) {
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_ROWID:
      return absl::StatusCode::kAlreadyExists;
    default:
      break;
  }
  switch (extended & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
      return absl::StatusCode::kOk;
    case SQLITE_CONSTRAINT:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::StatusCode::kFailedPrecondition;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH:
      return absl::StatusCode::kPermissionDenied;
    case SQLITE_CORRUPT:
      return absl::StatusCode::kDataLoss;
    case SQLITE_NOTADB:
      return absl::StatusCode::kInvalidArgument;
    default:
      return absl::StatusCode::kInternal;
  }
}

// The status of what SQLite answered to its last call on this connection.
absl::Status ToStatus(sqlite3* database, int code) {
  const absl::StatusCode translated = CodeOf(code == SQLITE_OK || code == SQLITE_ROW ||
                                                     code == SQLITE_DONE
                                                 ? code
                                                 : sqlite3_extended_errcode(database));
  if (translated == absl::StatusCode::kOk) return absl::OkStatus();
  return absl::Status(translated, sqlite3_errmsg(database));
}

}  // namespace

Query::Query(sqlite3* database, sqlite3_stmt* statement, absl::Status prepared)
    : database_(database), statement_(statement), failure_(std::move(prepared)) {}

Query::Query(Query&& other) noexcept
    : database_(other.database_), statement_(other.statement_), failure_(other.failure_) {
  other.statement_ = nullptr;
}

Query::~Query() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Query::Keep(int code) {
  if (failure_.ok()) failure_ = ToStatus(database_, code);
}

void Query::BindOne(int position, int64_t value) {
  Keep(sqlite3_bind_int64(statement_, position, value));
}

void Query::BindOne(int position, absl::string_view text) {
  // A null pointer would bind NULL, and an empty view may have one.
  Keep(sqlite3_bind_text64(statement_, position, text.empty() ? "" : text.data(), text.size(),
                           SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Query::BindOne(int position, Blob blob) {
  const absl::string_view bytes = blob.bytes;
  Keep(sqlite3_bind_blob64(statement_, position, bytes.empty() ? "" : bytes.data(), bytes.size(),
                           SQLITE_TRANSIENT));
}

void Query::BindNull(int position) { Keep(sqlite3_bind_null(statement_, position)); }

absl::StatusOr<bool> Query::Step() {
  SQUISH_RETURN_IF_ERROR(failure_);
  const int code = sqlite3_step(statement_);
  SQUISH_RETURN_IF_ERROR(ToStatus(database_, code));
  return code == SQLITE_ROW;
}

int64_t Query::Integer(int column) const { return sqlite3_column_int64(statement_, column); }

absl::string_view Query::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return absl::string_view(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

bool Query::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                       SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                                   nullptr);
  if (handle == nullptr) return absl::ResourceExhaustedError("out of memory");
  auto database = std::unique_ptr<Database>(new Database(handle));
  SQUISH_RETURN_IF_ERROR(ToStatus(handle, code));
  return database;
}

Database::~Database() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(database_);
}

absl::Status Database::Execute(const std::string& sql) {
  return ToStatus(database_, sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr));
}

Query Database::Prepare(absl::string_view sql) {
  const auto [entry, added] = statements_.try_emplace(std::string(sql), nullptr);
  absl::Status prepared;
  if (added) {
    prepared = ToStatus(database_, sqlite3_prepare_v3(database_, sql.data(),
                                                      static_cast<int>(sql.size()),
                                                      SQLITE_PREPARE_PERSISTENT, &entry->second,
                                                      nullptr));
    if (!prepared.ok()) statements_.erase(entry);
  }
  return Query(database_, prepared.ok() ? entry->second : nullptr, prepared);
}

absl::StatusOr<int64_t> Database::Number(absl::string_view sql) {
  Query query = Prepare(sql);
  SQUISH_ASSIGN_OR_RETURN(const bool row, query.Step());
  if (!row) return absl::InternalError(absl::StrCat("no row from: ", sql));
  return query.Integer(0);
}

absl::StatusOr<std::unique_ptr<CopyInProgress>> Database::StartCopy(const std::string& path) {
  auto copy = std::unique_ptr<CopyInProgress>(new CopyInProgress);
  const int code = sqlite3_open_v2(path.c_str(), &copy->target_,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                       SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                                   nullptr);
  if (copy->target_ == nullptr) return absl::ResourceExhaustedError("out of memory");
  SQUISH_RETURN_IF_ERROR(ToStatus(copy->target_, code));
  copy->backup_ = sqlite3_backup_init(copy->target_, "main", database_, "main");
  if (copy->backup_ == nullptr) return ToStatus(copy->target_, SQLITE_ERROR);
  return copy;
}

CopyInProgress::~CopyInProgress() {
  if (backup_ != nullptr) sqlite3_backup_finish(backup_);
  sqlite3_close(target_);
}

absl::StatusOr<bool> CopyInProgress::Step(int pages) {
  if (sqlite3_backup_step(backup_, pages) == SQLITE_OK) return false;
  // Also of an error in a step.
  const int code = sqlite3_backup_finish(std::exchange(backup_, nullptr));
  SQUISH_RETURN_IF_ERROR(ToStatus(target_, code));
  if (sqlite3_close(target_) != SQLITE_OK) return absl::InternalError("the copy cannot be closed");
  target_ = nullptr;
  return true;
}

int64_t Database::Changes() const { return sqlite3_changes64(database_); }

}  // namespace squish
