// MaintenanceService at the edge: the database is copied on the loop, piece by piece; files
// are looked through and hashed on an I/O thread.
#ifndef SQUISH_COORDINATOR_SERVICE_MAINTENANCE_SERVICE_H_
#define SQUISH_COORDINATOR_SERVICE_MAINTENANCE_SERVICE_H_

#include <string>

#include "absl/status/statusor.h"
#include "common/artifacts/blob_store.h"
#include "coordinator/service/io_thread.h"
#include "coordinator/service/loop.h"
#include "squish/v1/maintenance.grpc.pb.h"

namespace squish {

// Thread-safe. Loop, store and thread outlive it.
class MaintenanceServiceAdapter : public v1::MaintenanceService::CallbackService {
 public:
  MaintenanceServiceAdapter(Loop* loop, BlobStore* store, IoThread* io)
      : loop_(*loop), store_(*store), io_(*io) {}
  // Removes what the last backup left in the store, which nothing names. All calls have ended.
  ~MaintenanceServiceAdapter() override { RemoveLast(); }

  grpc::ServerUnaryReactor* Backup(grpc::CallbackServerContext* context,
                                   const v1::BackupRequest* request,
                                   v1::BackupResponse* response) override;

 private:
  // On the I/O thread: the backup before is removed, for a copy of the database each would
  // fill the disk.
  absl::StatusOr<v1::BackupResponse> StoreCopy(const std::string& path);
  void RemoveLast();

  Loop& loop_;
  BlobStore& store_;
  IoThread& io_;
  v1::BackupResponse last_;  // The I/O thread's.
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_MAINTENANCE_SERVICE_H_
