#include "coordinator/population/named_artifacts.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "coordinator/population/sqlite.h"

namespace squish {
namespace {

void Add(const std::string& digest, std::set<std::string>& digests) {
  if (!digest.empty()) digests.insert(digest);
}

// The first column of every row as a Message.
template <typename Message>
absl::Status AddAll(Database& database, absl::string_view sql, std::set<std::string>& digests) {
  Query query = database.Prepare(sql);
  while (true) {
    SQUISH_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return absl::OkStatus();
    Message message;
    const absl::string_view bytes = query.Text(0);
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return absl::DataLossError(
          absl::StrCat("a stored ", Message::descriptor()->name(), " cannot be read"));
    }
    AddNamedArtifacts(message, digests);
  }
}

}  // namespace

void AddNamedArtifacts(const v1::AttemptResult& result, std::set<std::string>& digests) {
  Add(result.synthesize().artifact(), digests);
  Add(result.train().artifact(), digests);
  Add(result.train().strengths(), digests);
  Add(result.evaluate().predictions(), digests);
  for (const v1::ExportedFile& file : result.export_files().files()) Add(file.artifact(), digests);
}

void AddNamedArtifacts(const v1::ExperimentSpec& spec, std::set<std::string>& digests) {
  const v1::AncestorSpec& ancestor = spec.ancestor();
  Add(ancestor.network_digest(), digests);
  Add(ancestor.imported().digest(), digests);
  Add(ancestor.branch().network(), digests);
  Add(ancestor.branch().ancestor_network(), digests);
  Add(ancestor.branch().ancestor_trained(), digests);
}

void AddNamedArtifacts(const v1::Checkpoint& checkpoint, std::set<std::string>& digests) {
  Add(checkpoint.artifact(), digests);
}

absl::StatusOr<std::set<std::string>> NamedArtifacts(const std::string& path) {
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::Open(path));
  std::set<std::string> digests;
  SQUISH_RETURN_IF_ERROR(
      AddAll<v1::ExperimentSpec>(*database, "SELECT spec FROM experiments", digests));
  SQUISH_RETURN_IF_ERROR(AddAll<v1::AttemptResult>(
      *database, "SELECT content FROM facts WHERE kind = 'RESULT'", digests));
  SQUISH_RETURN_IF_ERROR(
      AddAll<v1::Checkpoint>(*database, "SELECT record FROM checkpoints", digests));
  return digests;
}

absl::Status ForgetCheckpoints(const std::string& path) {
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::Open(path));
  return database->Execute("DELETE FROM checkpoints");
}

}  // namespace squish
