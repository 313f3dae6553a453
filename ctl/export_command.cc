#include "ctl/export_command.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/export/handout.h"
#include "common/weights/network.h"
#include "ctl/champions.h"
#include "ctl/example_program.h"
#include "ctl/model_card.h"

namespace squish {
namespace {

// A folder that becomes PATH at the end, or goes.
class NewFolder {
 public:
  static absl::StatusOr<NewFolder> Make(std::string path) {
    // "model/" is the folder model; a name beside it must not lie in it.
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    std::error_code error;
    if (std::filesystem::exists(std::filesystem::symlink_status(path, error))) {
      return absl::AlreadyExistsError(
          absl::StrCat(path, " is there already; name another folder, or remove it"));
    }
    NewFolder folder(path);
    SQUISH_RETURN_IF_ERROR(MakeFolder(folder.partial_));
    return folder;
  }
  NewFolder(NewFolder&& other) noexcept
      : path_(std::move(other.path_)), partial_(std::exchange(other.partial_, "")) {}
  NewFolder& operator=(NewFolder&&) = delete;
  ~NewFolder() {
    std::error_code error;
    if (!partial_.empty()) std::filesystem::remove_all(partial_, error);
  }

  const std::string& path() const { return path_; }
  std::string File(absl::string_view name) const { return JoinPath(partial_, name); }

  absl::Status Publish() {
    std::error_code error;
    std::filesystem::rename(partial_, path_, error);
    if (error) return ErrnoStatus(error.value(), "cannot make the folder", path_);
    partial_.clear();
    return absl::OkStatus();
  }

 private:
  // Beside its place, so that it can be renamed into it.
  explicit NewFolder(std::string path)
      : path_(std::move(path)), partial_(absl::StrCat(path_, ".partial-", RandomHex(4))) {}

  std::string path_;
  std::string partial_;
};

absl::Status CheckReady(const v1::Champion& champion, absl::string_view which) {
  if (champion.state() == v1::Champion::READY) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("champion '", which, "' is not ready yet (",
                   v1::Champion::State_Name(champion.state()),
                   "); `squishctl watch` tells when the experiment has succeeded"));
}

absl::Status WriteTexts(const NewFolder& folder, const ModelCardFacts& facts) {
  const std::pair<const char*, std::string> texts[] = {
      {"labels.txt", Labels(facts.network)},
      {"preprocessing.json", PreprocessingJson(facts.network)},
      {"README.md", ModelCard(facts)},
      {"classify.cc", ExampleProgram()}};
  for (const auto& [name, text] : texts) {
    SQUISH_RETURN_IF_ERROR(WriteFileDurably(folder.File(name), text));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ExportCommand(CoordinatorClient& client, const std::string& id,
                           const std::string& which, const std::string& path, std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(v1::Experiment experiment, client.Get(id));
  SQUISH_ASSIGN_OR_RETURN(const auto champions, client.Champions(id));
  SQUISH_ASSIGN_OR_RETURN(v1::Champion champion, FindChampion(champions, which));
  SQUISH_RETURN_IF_ERROR(CheckReady(champion, which));
  SQUISH_ASSIGN_OR_RETURN(auto individuals, client.Individuals(id));
  SQUISH_ASSIGN_OR_RETURN(NewFolder folder, NewFolder::Make(path));
  for (const v1::ExportedFile& file : champion.files()) {
    SQUISH_RETURN_IF_ERROR(client.Download(file.artifact(), folder.File(file.name())));
    out << file.name() << "  " << file.bytes() << " bytes\n" << std::flush;
  }
  SQUISH_RETURN_IF_ERROR(client.Download(champion.predictions(), folder.File("predictions.csv")));
  // The champion's own file says what is to be known of it; it is one of `files`, too.
  const std::string network_path = folder.File(absl::StrCat(".", RandomHex(4)));
  SQUISH_RETURN_IF_ERROR(client.Download(champion.artifact(), network_path));
  SQUISH_ASSIGN_OR_RETURN(const std::string file, ReadFile(network_path));
  std::error_code ignored;
  std::filesystem::remove(network_path, ignored);
  absl::StatusOr<Network> network = Network::FromSafetensors(file);
  if (!network.ok()) {
    return absl::DataLossError(absl::StrCat("the champion's network ", champion.artifact(), ": ",
                                            network.status().message()));
  }
  SQUISH_RETURN_IF_ERROR(
      WriteTexts(folder, {std::move(experiment), std::move(champion), std::move(individuals),
                          *std::move(network)}));
  SQUISH_RETURN_IF_ERROR(folder.Publish());
  out << folder.path() << "/README.md says what it is\n";
  return absl::OkStatus();
}

}  // namespace squish
