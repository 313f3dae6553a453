#include "coordinator/service/maintenance_service.h"

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/rpc/rpc.h"
#include "coordinator/population/named_artifacts.h"

namespace squish {
absl::StatusOr<v1::BackupResponse> MaintenanceServiceAdapter::StoreCopy(const std::string& path) {
  RemoveLast();
  SQUISH_RETURN_IF_ERROR(ForgetCheckpoints(path));
  SQUISH_ASSIGN_OR_RETURN(const std::set<std::string> named, NamedArtifacts(path));
  last_.set_artifacts(static_cast<int64_t>(named.size()));
  // One of nothing is an empty line: the empty artifact may be somebody's, who would lose it with
  // the manifest.
  SQUISH_ASSIGN_OR_RETURN(*last_.mutable_manifest(),
                          store_.Put(absl::StrCat(absl::StrJoin(named, "\n"), "\n")));
  SQUISH_ASSIGN_OR_RETURN(*last_.mutable_database(), store_.PutFile(path));
  return last_;
}

void MaintenanceServiceAdapter::RemoveLast() {
  for (const std::string& digest : {last_.database(), last_.manifest()}) {
    store_.Remove(digest).IgnoreError();  // What stays is not named by anything.
  }
  last_.Clear();
}

grpc::ServerUnaryReactor* MaintenanceServiceAdapter::Backup(grpc::CallbackServerContext* context,
                                                            const v1::BackupRequest*,
                                                            v1::BackupResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  absl::StatusOr<Caller> caller = CallerOf(*context);
  if (!caller.ok()) {
    reactor->Finish(ToGrpc(caller.status()));
    return reactor;
  }
  loop_.Post([=, this, caller = *std::move(caller)](Coordinator& coordinator) {
    coordinator.Backup(caller, [=, this](absl::StatusOr<DatabaseCopy> copy) {
      if (!copy.ok()) {
        reactor->Finish(ToGrpc(copy.status()));
        return;
      }
      auto kept = std::make_shared<DatabaseCopy>(*std::move(copy));
      io_.Post([=, this] {
        absl::StatusOr<v1::BackupResponse> answer = StoreCopy(kept->path());
        if (answer.ok()) *response = *std::move(answer);
        reactor->Finish(ToGrpc(answer.status()));
      });
    });
  });
  return reactor;
}

}  // namespace squish
