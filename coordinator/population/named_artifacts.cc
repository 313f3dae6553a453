#include "coordinator/population/named_artifacts.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/spec/older.h"

namespace squish {
namespace {

void Add(const std::string& digest, std::set<std::string>& digests) {
  if (!digest.empty()) digests.insert(digest);
}

template <typename Message>
absl::StatusOr<Message> ParseRecord(absl::string_view bytes) {
  Message message;
  if (message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return message;
  return absl::DataLossError(
      absl::StrCat("a stored ", Message::descriptor()->name(), " cannot be read"));
}

// Of the facts that `query` gives, those that are kept.
absl::Status AddFacts(Query query, const Retention& retention, std::set<std::string>& digests) {
  while (true) {
    SQUISH_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return absl::OkStatus();
    SQUISH_ASSIGN_OR_RETURN(const auto fact, ParseRecord<v1::AttemptResult>(query.Text(0)));
    AddNamedArtifacts(fact, retention, digests);
  }
}

void AddEngineFiles(const v1::EngineFiles& files, std::set<std::string>& digests) {
  for (const v1::EngineFiles::Onnx& onnx : files.onnx()) Add(onnx.artifact(), digests);
  Add(files.probe_pictures(), digests);
  Add(files.probe_outputs(), digests);
}

}  // namespace

void AddNamedArtifacts(const v1::AttemptResult& result, const Retention& retention,
                       std::set<std::string>& digests) {
  const int generation = result.key().generation(), index = result.key().index();
  if (retention.KeepsEngineFiles(generation, index)) {
    AddEngineFiles(result.synthesize().engine_files(), digests);
    AddEngineFiles(result.synthesize().ancestor_files(), digests);
  }
  if (!retention.Keeps(generation, index)) return;
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

absl::Status AddNamedArtifacts(Database& database, int64_t experiment,
                               const v1::ExperimentSpec& spec,
                               const v1::EvolutionSummary& summary, bool ended,
                               std::set<std::string>& digests) {
  AddNamedArtifacts(spec, digests);
  const Retention retention(spec, summary, ended);
  Query whole = database.Prepare(
      "SELECT content FROM facts WHERE experiment = ?1 AND generation >= ?2 AND kind = 'RESULT'");
  whole.Bind(experiment, retention.whole_from());
  SQUISH_RETURN_IF_ERROR(AddFacts(std::move(whole), retention, digests));
  for (const int generation : retention.earlier()) {
    Query one = database.Prepare(
        "SELECT content FROM facts WHERE experiment = ?1 AND generation = ?2 AND kind = 'RESULT'");
    one.Bind(experiment, generation);
    SQUISH_RETURN_IF_ERROR(AddFacts(std::move(one), retention, digests));
  }
  Query checkpoints = database.Prepare(
      "SELECT artifact FROM checkpoints CROSS JOIN jobs ON jobs.id = checkpoints.job "
      "WHERE experiment = ?1");
  checkpoints.Bind(experiment);
  while (true) {
    SQUISH_ASSIGN_OR_RETURN(const bool row, checkpoints.Step());
    if (!row) return absl::OkStatus();
    Add(std::string(checkpoints.Text(0)), digests);
  }
}

void AddNamedArtifacts(const v1::Checkpoint& checkpoint, std::set<std::string>& digests) {
  Add(checkpoint.artifact(), digests);
}

absl::StatusOr<std::set<std::string>> NamedArtifacts(const std::string& path) {
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::Open(path));
  std::set<std::string> digests;
  Query experiments =
      database->Prepare("SELECT id, spec, summary, finished_ms IS NOT NULL FROM experiments");
  while (true) {
    SQUISH_ASSIGN_OR_RETURN(const bool row, experiments.Step());
    if (!row) return digests;
    SQUISH_ASSIGN_OR_RETURN(auto spec, ParseRecord<v1::ExperimentSpec>(experiments.Text(1)));
    CompleteOlder(spec);
    SQUISH_ASSIGN_OR_RETURN(const auto summary,
                            ParseRecord<v1::EvolutionSummary>(experiments.Text(2)));
    const bool ended = experiments.Integer(3) != 0;
    SQUISH_RETURN_IF_ERROR(AddNamedArtifacts(*database, experiments.Integer(0), spec, summary,
                                             ended, digests));
  }
}

absl::Status ForgetCheckpoints(const std::string& path) {
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::Open(path));
  return database->Execute("DELETE FROM checkpoints");
}

}  // namespace squish
